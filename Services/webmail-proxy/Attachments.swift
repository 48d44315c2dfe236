import FoundationEssentials
import IMAP
import MIME
import MailModel
import Storage

/// An attachment as a client names it: its bytes, an upload, or a part of another message.
struct AttachmentRequest: Decodable, Sendable {
    struct Part: Decodable, Sendable {
        let folder: String
        let uid: UInt32
        let part: String
        let uidValidity: UInt32?

        enum CodingKeys: String, CodingKey {
            case folder, uid, part
            case uidValidity = "uid_validity"
        }
    }

    /// Needed with `content`; else the source's own when it is missing.
    let filename: String?
    let contentType: String?
    /// Base64 (RFC 4648 §4).
    let content: String?
    let uploadID: Int64?
    let message: Part?
    /// With it the part stands in the HTML, as `cid:…`.
    let contentID: String?

    enum CodingKeys: String, CodingKey {
        case filename, content, message
        case contentType = "content_type"
        case uploadID = "upload_id"
        case contentID = "content_id"
    }
}

/// An attachment whose bytes are known where to find.
struct OutgoingAttachment: Sendable {
    enum Source: Sendable {
        case bytes([UInt8])
        case upload(Int64)
        case part(folder: MailboxName, uid: UInt32, uidValidity: UInt32, section: [Int])
    }

    let filename: String
    let contentType: String
    let contentID: String?
    /// Bytes.
    let size: Int
    let source: Source

    var uploadID: Int64? { if case .upload(let id) = source { id } else { nil } }
}

/// Finds attachments and reads them.
struct Attachments: Sendable {
    /// Bytes held at once.
    private static let pieceSize: UInt64 = 256 << 10

    let uploads: UploadStore
    let sessions: MailSessions
    /// Of all attachments of a message: bytes.
    let limit: Int

    /// - Throws: `Failure`: `invalid` naming the field, `tooLarge` `attachments_too_large`.
    func resolve(_ requests: [AttachmentRequest], of mailbox: Mailbox) async throws -> [OutgoingAttachment] {
        guard requests.count <= 200 else { throw Failure.invalid("attachments", code: "too_many", "at most 200") }
        var attachments: [OutgoingAttachment] = []
        var size = 0
        for (index, request) in requests.enumerated() {
            let attachment = try await resolve(request, of: mailbox, field: "attachments.\(index)")
            // A server may tell any size: the sum of two could be more than a number holds.
            guard attachment.size <= limit - size else {
                throw Failure(
                    .tooLarge, code: "attachments_too_large", "The attachments are larger than \(limit) bytes.")
            }
            size += attachment.size
            attachments.append(attachment)
        }
        return attachments
    }

    /// Gives the bytes to `body`, a piece at a time.
    ///
    /// - Throws: `Failure` `notFound` when they have gone meanwhile, or are fewer than they were.
    func read(
        _ attachment: OutgoingAttachment, of mailbox: Mailbox, _ body: ([UInt8]) async throws -> Void
    ) async throws {
        var count = 0
        switch attachment.source {
        case .bytes(let bytes):
            count = bytes.count
            try await body(bytes)
        case .upload(let id):
            var position = 0
            while let piece = try await uploads.piece(position, of: id) {
                count += piece.count
                try await body(piece)
                position += 1
            }
        case .part(let folder, let uid, let uidValidity, let section):
            while count < attachment.size {
                let range = UInt64(count)..<min(UInt64(count) + Self.pieceSize, UInt64(attachment.size))
                let piece = try await sessions.withSession(of: mailbox, folder: folder, isRepeatable: true) {
                    try await $0.bytes(
                        .binary(part: section, bytes: range), of: uid, in: folder, uidValidity: uidValidity)
                }
                guard !piece.isEmpty else { break }
                count += min(piece.count, range.count)
                try await body(piece.count > range.count ? Array(piece.prefix(range.count)) : piece)
            }
        }
        guard count == attachment.size else { throw Failure.notFound("An attachment") }
    }

    /// The whole content.
    func all(of attachment: OutgoingAttachment, _ mailbox: Mailbox) async throws -> [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(attachment.size)
        try await read(attachment, of: mailbox) { content += $0 }
        return content
    }

    private func resolve(
        _ request: AttachmentRequest, of mailbox: Mailbox, field: String
    ) async throws -> OutgoingAttachment {
        let sources = [request.content != nil, request.uploadID != nil, request.message != nil].count { $0 }
        guard sources == 1 else {
            throw Failure.invalid(field, code: "invalid_attachment", "must have one of content, upload_id and message")
        }
        let found: OutgoingAttachment
        if let content = request.content {
            guard let data = Data(base64Encoded: content) else {
                throw Failure.invalid(
                    "\(field).content", code: "invalid_base64", "must be base64 with padding, without line ends")
            }
            found = OutgoingAttachment(
                filename: "", contentType: "application/octet-stream", contentID: nil, size: data.count,
                source: .bytes(Array(data)))
        } else if let id = request.uploadID {
            found = try await upload(id, of: mailbox, field: "\(field).upload_id")
        } else if let part = request.message {
            found = try await self.part(part, of: mailbox, field: "\(field).message")
        } else {
            throw Failure.invalid(field, code: "invalid_attachment", "must have a source")
        }
        let filename = request.filename ?? found.filename
        guard !filename.isEmpty, filename.utf8.count <= 255 else {
            throw Failure.invalid("\(field).filename", code: "invalid_filename", "must be 1 to 255 bytes")
        }
        return OutgoingAttachment(
            filename: filename, contentType: request.contentType ?? found.contentType,
            contentID: request.contentID ?? found.contentID, size: found.size, source: found.source)
    }

    private func upload(_ id: Int64, of mailbox: Mailbox, field: String) async throws -> OutgoingAttachment {
        do {
            let upload = try await uploads.find(id, mailbox: mailbox.address)
            return OutgoingAttachment(
                filename: upload.filename, contentType: upload.contentType, contentID: nil, size: Int(upload.size),
                source: .upload(id))
        } catch let failure as Failure where failure.kind == .notFound {
            throw Failure.invalid(field, code: "not_found", "there is no such upload")
        }
    }

    private func part(
        _ part: AttachmentRequest.Part, of mailbox: Mailbox, field: String
    ) async throws -> OutgoingAttachment {
        let folder = MailboxName(part.folder)
        guard (1...1000).contains(part.folder.utf8.count), part.uid > 0, part.uid < .max else {
            throw Failure.invalid(field, code: "not_found", "there is no such message")
        }
        do {
            let (found, uidValidity) = try await sessions.withSession(of: mailbox, folder: folder, isRepeatable: true) {
                let found = try await $0.part(part.part, of: part.uid, in: folder, uidValidity: part.uidValidity)
                return (found, $0.selection?.uidValidity ?? 0)
            }
            return OutgoingAttachment(
                filename: MessageParts.Attachment.filename(found.structure) ?? "part-\(part.part)",
                contentType: found.structure.mediaType, contentID: nil, size: Int(clamping: found.size),
                source: .part(folder: folder, uid: part.uid, uidValidity: uidValidity, section: found.section))
        } catch let failure as Failure where failure.kind == .notFound {
            throw Failure.invalid(field, code: "not_found", "there is no such message, or no such part of it")
        }
    }
}
