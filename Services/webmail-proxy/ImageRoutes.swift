import HTTPService
import HTTPTypes
import Hummingbird
import IMAP
import MailModel

/// The images of mails, for browsers: whoever has a signed link gets the image it names.
struct ImageRoutes: Sendable {
    let links: ImageLinks
    let remote: RemoteImages
    let content: ContentRoutes

    func image(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let query = try request.query()
        guard let url = query["url"], let signature = query["sig"] else {
            throw Failure.invalid(
                query["url"] == nil ? "url" : "sig", code: "required", "must be as in a message's html")
        }
        try links.check(url, signature)
        if let attached = AttachedImage(url) { return try await content.image(attached, request, context) }
        let image = try await remote.image(url)
        return Response(
            status: .ok,
            headers: [
                .contentType: image.type.rawValue,
                .contentLength: String(image.body.readableBytes),
                .contentDisposition: "inline",
                .contentSecurityPolicy: "default-src 'none'; sandbox",
                .cacheControl: "private, max-age=604800, immutable",
            ], body: .init(byteBuffer: image.body))
    }
}
