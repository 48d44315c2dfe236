import HTTPService
import HTTPTypes
import Hummingbird
import IMAP
import MIME
import MailModel
import NIOCore

/// Messages and attachments as they are: streamed from the mail server, a piece at a time.
struct ContentRoutes: Sendable {
    /// Bytes held at once for one download.
    private static let pieceSize: UInt64 = 1 << 20

    let access: MailboxAccess
    let sessions: MailSessions

    func raw(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try MessagePlace(request, context)
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let wanted = Self.beginning(for: request)
        let (message, uidValidity) = try await sessions.withSession(
            of: mailbox, folder: place.folder, isRepeatable: true
        ) { session in
            let message = try await session.acting {
                try await session.size(
                    of: place.uid, in: place.folder, uidValidity: place.uidValidity, withBeginning: wanted)
            }
            return (message, session.selection?.uidValidity ?? 0)
        }
        let source = Source(
            mailbox: mailbox, folder: place.folder, uid: place.uid, uidValidity: uidValidity, part: nil,
            size: message.size, beginning: message.beginning
        ) { .body(.message, bytes: $0) }
        return download(
            source,
            headers: [
                .contentType: "message/rfc822",
                .contentDisposition: ContentDisposition.attachment(filename: "message-\(place.uid).eml"),
            ], for: request)
    }

    func attachment(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try MessagePlace(request, context)
        let part = try context.pathParameter("part")
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let (source, structure) = try await source(
            of: part, uid: place.uid, in: place.folder, uidValidity: place.uidValidity, mailbox, for: request)
        let filename = MessageParts.Attachment.filename(structure) ?? "part-\(part)"
        let isInline = ContentDisposition.isSafeInline(structure.mediaType)
        return download(
            source,
            headers: [
                .contentType: isInline ? structure.mediaType : "application/octet-stream",
                .contentDisposition: isInline
                    ? ContentDisposition.inline(filename: filename) : ContentDisposition.attachment(filename: filename),
            ], for: request)
    }

    /// An attached image that a signed link names: pictures alone.
    ///
    /// - Throws: `Failure` `notFound` for what is none, or not there any more.
    func image(_ image: AttachedImage, _ request: Request, _ context: ServiceContext) async throws -> Response {
        let mailbox = Mailbox(
            address: image.account, clientAddress: context.clientAddress == "unknown" ? nil : context.clientAddress)
        let (source, structure) = try await source(
            of: image.part, uid: image.uid, in: MailboxName(image.folder), uidValidity: image.uidValidity, mailbox,
            for: request)
        guard ContentDisposition.isSafeInline(structure.mediaType) else { throw Failure.notFound("This image") }
        return download(
            source,
            headers: [
                .contentType: structure.mediaType, .contentDisposition: "inline",
                // The link names the mailbox and its UIDVALIDITY.
                .cacheControl: "private, max-age=3600, immutable",
            ], for: request)
    }

    /// Bytes on the mail server.
    private struct Source: Sendable {
        let mailbox: Mailbox
        let folder: MailboxName
        let uid: UInt32
        let uidValidity: UInt32
        let part: String?
        let size: UInt64
        /// As much of it as was fetched with the size.
        let beginning: [UInt8]
        let item: @Sendable (_ bytes: Range<UInt64>) -> FetchItem

        /// The bytes of a message never change (RFC 9051 §2.3.1.1).
        var entityTag: String {
            let place = EntityTag.place(mailbox.address, folder.name)
            return "\"\(place)-\(uidValidity)-\(uid)\(part.map { "-" + $0 } ?? "")\""
        }
    }

    /// How much is fetched with the size: nothing where the beginning may not be wanted.
    private static func beginning(for request: Request) -> UInt64 {
        let isWhole =
            request.method == .get && request.headers[.range] == nil && request.headers[.ifNoneMatch] == nil
        return isWhole ? pieceSize : 0
    }

    private func source(
        of part: String, uid: UInt32, in folder: MailboxName, uidValidity: UInt32?, _ mailbox: Mailbox,
        for request: Request
    ) async throws -> (Source, BodyStructure) {
        let wanted = Self.beginning(for: request)
        let (found, current) = try await sessions.withSession(of: mailbox, folder: folder, isRepeatable: true) {
            session in
            let found = try await session.acting {
                try await session.part(part, of: uid, in: folder, uidValidity: uidValidity, withBeginning: wanted)
            }
            return (found, session.selection?.uidValidity ?? 0)
        }
        let (section, isDecoded) = (found.section, found.isDecoded)
        let source = Source(
            mailbox: mailbox, folder: folder, uid: uid, uidValidity: current, part: part, size: found.size,
            beginning: found.beginning
        ) { isDecoded ? .binary(part: section, bytes: $0) : .body(.part(section), bytes: $0) }
        return (source, found.structure)
    }

    private func download(_ source: Source, headers: HTTPFields, for request: Request) -> Response {
        var headers = headers
        headers[.eTag] = source.entityTag
        // The path names neither the mailbox nor UIDVALIDITY: what is kept is asked for again, by its tag.
        if headers[.cacheControl] == nil { headers[.cacheControl] = "private, no-cache" }
        if let list = request.headers[.ifNoneMatch], EntityTags.matches(list, source.entityTag) {
            headers[.contentType] = nil
            headers[.contentDisposition] = nil
            return Response(status: .notModified, headers: headers)
        }
        headers[.acceptRanges] = "bytes"
        headers[.contentSecurityPolicy] = "default-src 'none'; sandbox"
        var range = 0..<source.size
        var status = HTTPResponse.Status.ok
        // A part of what has another tag by now is of no use (RFC 9110 §13.1.5); of a date we know nothing.
        let isRangeWanted = request.headers[.ifRange].map { $0 == source.entityTag } ?? true
        switch ByteRange(isRangeWanted ? request.headers[.range] : nil, size: source.size) {
        case .whole: break
        case .part(let part):
            range = part
            status = .partialContent
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(source.size)"
        case .unsatisfiable:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(source.size)"])
        }
        headers[.contentLength] = String(range.upperBound - range.lowerBound)
        guard request.method != .head else { return Response(status: status, headers: headers) }
        return Response(status: status, headers: headers, body: body(source, range))
    }

    /// A session is leased for each piece, so that a slow reader keeps none from others.
    private func body(_ source: Source, _ range: Range<UInt64>) -> ResponseBody {
        ResponseBody(contentLength: Int(clamping: range.upperBound - range.lowerBound)) { writer in
            var offset = range.lowerBound
            if offset == 0, !source.beginning.isEmpty {
                let bytes = source.beginning.prefix(Int(clamping: range.upperBound))
                try await writer.write(ByteBuffer(bytes: bytes))
                offset = UInt64(bytes.count)
            }
            while offset < range.upperBound {
                let piece = offset..<min(offset + Self.pieceSize, range.upperBound)
                let bytes = try await sessions.withSession(
                    of: source.mailbox, folder: source.folder, isRepeatable: true
                ) {
                    try await $0.bytes(
                        source.item(piece), of: source.uid, in: source.folder, uidValidity: source.uidValidity)
                }
                guard !bytes.isEmpty else { throw Failure.notFound("This message") }
                try await writer.write(ByteBuffer(bytes: bytes.prefix(piece.count)))
                offset += UInt64(min(bytes.count, piece.count))
            }
            try await writer.finish(nil)
        }
    }
}
