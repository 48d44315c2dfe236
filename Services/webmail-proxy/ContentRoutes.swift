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
    private static let pieceSize: UInt64 = 256 << 10

    let access: MailboxAccess
    let sessions: MailSessions

    func raw(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try MessagePlace(request, context)
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let (size, uidValidity) = try await sessions.withSession(of: mailbox, folder: place.folder, isRepeatable: true)
        {
            let size = try await $0.size(of: place.uid, in: place.folder, uidValidity: place.uidValidity)
            return (size, $0.selection?.uidValidity ?? 0)
        }
        return try download(
            Source(mailbox: mailbox, place: place, uidValidity: uidValidity, size: size) {
                .body(.message, bytes: $0)
            },
            headers: [
                .contentType: "message/rfc822",
                .contentDisposition: ContentDisposition.attachment(filename: "message-\(place.uid).eml"),
            ], for: request)
    }

    func attachment(_ request: Request, _ context: CallerContext) async throws -> Response {
        let place = try MessagePlace(request, context)
        let part = try context.pathParameter("part")
        let mailbox = try await access.mailbox(request, context, scope: "mail:read")
        let (found, uidValidity) = try await sessions.withSession(
            of: mailbox, folder: place.folder, isRepeatable: true
        ) {
            let found = try await $0.part(part, of: place.uid, in: place.folder, uidValidity: place.uidValidity)
            return (found, $0.selection?.uidValidity ?? 0)
        }
        let filename = MessageParts.Attachment.filename(found.structure) ?? "part-\(part)"
        return try download(
            Source(mailbox: mailbox, place: place, uidValidity: uidValidity, size: found.size) {
                .binary(part: found.section, bytes: $0)
            },
            headers: [
                .contentType: ContentDisposition.isSafeInline(found.structure.mediaType)
                    ? found.structure.mediaType : "application/octet-stream",
                .contentDisposition: ContentDisposition.isSafeInline(found.structure.mediaType)
                    ? ContentDisposition.inline(filename: filename) : ContentDisposition.attachment(filename: filename),
            ], for: request)
    }

    /// Bytes on the mail server.
    private struct Source: Sendable {
        let mailbox: Mailbox
        let place: MessagePlace
        let uidValidity: UInt32
        let size: UInt64
        let item: @Sendable (_ bytes: Range<UInt64>) -> FetchItem
    }

    private func download(_ source: Source, headers: HTTPFields, for request: Request) throws -> Response {
        var headers = headers
        headers[.acceptRanges] = "bytes"
        headers[.cacheControl] = "private, max-age=3600, immutable"
        headers[.contentSecurityPolicy] = "default-src 'none'; sandbox"
        headers[.xContentTypeOptions] = "nosniff"
        var range = 0..<source.size
        var status = HTTPResponse.Status.ok
        switch ByteRange(request.headers[.range], size: source.size) {
        case .whole: break
        case .part(let part):
            range = part
            status = .partialContent
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(source.size)"
        case .unsatisfiable:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(source.size)"])
        }
        headers[.contentLength] = String(range.count)
        guard request.method != .head else { return Response(status: status, headers: headers) }
        return Response(status: status, headers: headers, body: body(source, range))
    }

    /// A session is leased for each piece, so that a slow reader keeps none from others.
    private func body(_ source: Source, _ range: Range<UInt64>) -> ResponseBody {
        ResponseBody(contentLength: range.count) { writer in
            var offset = range.lowerBound
            while offset < range.upperBound {
                let piece = offset..<min(offset + Self.pieceSize, range.upperBound)
                let bytes = try await sessions.withSession(
                    of: source.mailbox, folder: source.place.folder, isRepeatable: true
                ) {
                    try await $0.bytes(
                        source.item(piece), of: source.place.uid, in: source.place.folder,
                        uidValidity: source.uidValidity)
                }
                guard !bytes.isEmpty else { throw Failure.notFound("This message") }
                try await writer.write(ByteBuffer(bytes: bytes.prefix(piece.count)))
                offset += UInt64(min(bytes.count, piece.count))
            }
            try await writer.finish(nil)
        }
    }
}
