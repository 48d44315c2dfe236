import Glibc
import HTTPService
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

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

    let allowed: PublicAddresses
    /// Bytes of a body.
    let maximumSize: Int
    let tls: NIOSSLContext
    let group: MultiThreadedEventLoopGroup

    /// getaddrinfo blocks, for as long as a name server likes to be silent.
    private static let resolvers: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()

    /// - Throws: `ImageFailure`.
    func get(_ url: ImageURL, until deadline: NIODeadline) async throws -> Answer {
        let addresses = try await resolve(url, until: deadline)
        let open = addresses.filter(allowed.contains)
        guard !open.isEmpty else { throw addresses.isEmpty ? ImageFailure.unreachable : .refused }
        var failure = ImageFailure.unreachable
        for address in open.prefix(3) {
            do { return try await get(url, at: address, until: deadline) } catch let error as ImageFailure {
                failure = error
                guard error == .unreachable, deadline > .now() else { break }
            }
        }
        throw failure
    }

    // MARK: Names

    private func resolve(_ url: ImageURL, until deadline: NIODeadline) async throws -> [SocketAddress] {
        let promise = group.any().makePromise(of: [SocketAddress].self)
        let timer = group.any().scheduleTask(deadline: deadline) { promise.fail(ImageFailure.timedOut) }
        Self.resolvers.submit { _ in promise.succeed(Self.addresses(of: url.host, port: url.port)) }
        defer { timer.cancel() }
        return try await promise.futureResult.get()
    }

    private static func addresses(of host: String, port: Int) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // The dot at the end keeps the resolver from trying the name inside our own domains.
        let isName = host.utf8.last.map { (0x61...0x7a).contains($0) } == true && host.contains(".")
        guard getaddrinfo(isName ? host + "." : host, String(port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var entry = list
        while let info = entry?.pointee, addresses.count < 16 {
            switch info.ai_family {
            case AF_INET:
                info.ai_addr.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    addresses.append(SocketAddress($0.pointee))
                }
            case AF_INET6:
                info.ai_addr.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    addresses.append(SocketAddress($0.pointee))
                }
            default: break
            }
            entry = info.ai_next
        }
        return addresses
    }

    // MARK: The connection

    private func get(_ url: ImageURL, at address: SocketAddress, until deadline: NIODeadline) async throws -> Answer {
        let loop = group.next()
        let promise = loop.makePromise(of: Answer.self)
        let timer = loop.scheduleTask(deadline: deadline) { promise.fail(ImageFailure.timedOut) }
        defer { timer.cancel() }
        let left = deadline - NIODeadline.now()
        ClientBootstrap(group: loop)
            .connectTimeout(min(left, .seconds(4)))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if url.isSecure { try pipeline.addHandler(tlsHandler(for: url.host)) }
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try pipeline.addHandler(
                        ImageResponseHandler(url: url, maximumSize: maximumSize, answer: promise))
                }
            }
            .connect(to: address)
            .whenFailure { _ in promise.fail(ImageFailure.unreachable) }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    private func tlsHandler(for host: String) throws -> NIOSSLClientHandler {
        // An address in figures has no SNI (RFC 6066 §3).
        let isAddress = host.contains(":") || (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
    }
}

/// Asks once, gathers the answer up to its limit, and closes the connection.
private final class ImageResponseHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let url: ImageURL
    private let maximumSize: Int
    private let answer: EventLoopPromise<ImageExchange.Answer>
    private var body = ByteBuffer()

    init(url: ImageURL, maximumSize: Int, answer: EventLoopPromise<ImageExchange.Answer>) {
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
