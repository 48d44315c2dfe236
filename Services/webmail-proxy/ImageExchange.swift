import HTTPService
import NIOCore
import NIOHTTP1

/// Why a remote image could not be had. Who asks is told no more than that: nobody learns from us what stands where.
enum ImageFailure: Error, Equatable {
    case timedOut
    /// Every address of the host is outside the Internet, or the port is none of the web's.
    case refused
    /// No address, no connection, no TLS, or no answer in HTTP.
    case unreachable
    case status(Int)
    case tooLarge
    case notAnImage
    case tooManyRedirects
}

/// One GET of an image's bytes, over a connection of its own to an address that has been checked: the name is never
/// looked up again between the check and the connection.
struct ImageExchange: Sendable {
    struct Answer: Sendable {
        let status: Int
        let location: String?
        let body: ByteBuffer
    }

    let connector: PublicConnector
    /// Bytes of a body.
    let maximumSize: Int

    /// - Throws: `ImageFailure`.
    func get(_ url: PublicURL, until deadline: NIODeadline) async throws -> Answer {
        let open: [SocketAddress]
        do { open = try await connector.addresses(of: url, until: deadline) } catch let refusal
            as PublicConnector.Refusal
        {
            throw ImageFailure(refusal)
        }
        var failure = ImageFailure.unreachable
        for address in open.prefix(3) {
            do { return try await get(url, at: address, until: deadline) } catch let error as ImageFailure {
                failure = error
                guard error == .unreachable, deadline > .now() else { break }
            }
        }
        throw failure
    }

    private func get(_ url: PublicURL, at address: SocketAddress, until deadline: NIODeadline) async throws -> Answer {
        do {
            return try await connector.exchange(with: url, at: address, until: deadline) { answer in
                ImageResponseHandler(url: url, maximumSize: maximumSize, answer: answer)
            }
        } catch let refusal as PublicConnector.Refusal { throw ImageFailure(refusal) }
    }
}

extension ImageFailure {
    fileprivate init(_ refusal: PublicConnector.Refusal) {
        switch refusal {
        case .timedOut: self = .timedOut
        case .refused: self = .refused
        case .unreachable: self = .unreachable
        }
    }
}

/// Asks once, gathers the answer up to its limit, and closes the connection.
private final class ImageResponseHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let url: PublicURL
    private let maximumSize: Int
    private let answer: EventLoopPromise<ImageExchange.Answer>
    private var body = ByteBuffer()

    init(url: PublicURL, maximumSize: Int, answer: EventLoopPromise<ImageExchange.Answer>) {
        self.url = url
        self.maximumSize = maximumSize
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        // However it ends, by the deadline too, the connection goes.
        let channel = context.channel
        answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
        // No cookie, no referrer, nothing of the reader.
        let headers: HTTPHeaders = [
            "host": url.authority, "user-agent": "xynap-mail image proxy", "accept": "image/*",
            "accept-encoding": "identity", "connection": "close",
        ]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: url.target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            let status = Int(head.status.code)
            if [301, 302, 303, 307, 308].contains(status) {
                answer.succeed(.init(status: status, location: head.headers.first(name: "location"), body: body))
            } else if status != 200 {
                answer.fail(ImageFailure.status(status))
            } else if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > maximumSize
            {
                answer.fail(ImageFailure.tooLarge)
            }
        case .body(var part):
            guard body.readableBytes + part.readableBytes <= maximumSize else {
                return answer.fail(ImageFailure.tooLarge)
            }
            body.writeBuffer(&part)
            // What is no image is not read to its end.
            if body.readableBytes >= 64, ImageType(Array(body.readableBytesView.prefix(64))) == nil {
                answer.fail(ImageFailure.notAnImage)
            }
        case .end: answer.succeed(.init(status: 200, location: nil, body: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(ImageFailure.unreachable)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(ImageFailure.unreachable)
        context.close(promise: nil)
    }
}
