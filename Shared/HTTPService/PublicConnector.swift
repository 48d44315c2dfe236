import Glibc
public import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Connections to hosts that strangers name: only to addresses that `PublicAddresses` lets through, and to the very
/// address that was checked: the name is never looked up again between the check and the connection.
public struct PublicConnector: Sendable {
    /// Why there is no answer. Nobody who asked learns more: from us nobody learns what stands where.
    public enum Refusal: Error, Equatable {
        case timedOut
        /// Every address of the host is outside the Internet.
        case refused
        /// No address, no connection, no TLS, or no answer in HTTP.
        case unreachable
    }

    private let allowed: PublicAddresses
    private let tls: NIOSSLContext
    private let group = MultiThreadedEventLoopGroup.singleton

    /// getaddrinfo blocks, for as long as a name server likes to be silent.
    private static let resolvers: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()

    /// - Throws: When the system's roots of trust cannot be read.
    public init(allowed: PublicAddresses) throws {
        self.allowed = allowed
        tls = try NIOSSLContext(configuration: .makeClientConfiguration())
    }

    /// Where the host may be reached, one at least.
    /// - Throws: `Refusal`.
    public func addresses(of url: PublicURL, until deadline: NIODeadline) async throws -> [SocketAddress] {
        let promise = group.any().makePromise(of: [SocketAddress].self)
        let timer = group.any().scheduleTask(deadline: deadline) { promise.fail(Refusal.timedOut) }
        Self.resolvers.submit { _ in promise.succeed(Self.lookUp(url.host, port: url.port)) }
        defer { timer.cancel() }
        let addresses = try await promise.futureResult.get()
        let open = addresses.filter(allowed.contains)
        guard !open.isEmpty else { throw addresses.isEmpty ? Refusal.unreachable : .refused }
        return open
    }

    /// One exchange over a connection of its own, with TLS where the URL wants it.
    ///
    /// - Parameters:
    ///   - address: One of `addresses(of:until:)`.
    ///   - handler: Writes the request when the channel is active (`HTTPClientRequestPart`), reads the answer
    ///     (`HTTPClientResponsePart`), fulfils the promise and closes the channel.
    /// - Throws: `Refusal`; what the handler fails with.
    public func exchange<Answer: Sendable, Handler: ChannelInboundHandler>(
        with url: PublicURL, at address: SocketAddress, until deadline: NIODeadline,
        _ handler: @escaping @Sendable (EventLoopPromise<Answer>) -> Handler
    ) async throws -> Answer {
        let loop = group.next()
        let promise = loop.makePromise(of: Answer.self)
        let timer = loop.scheduleTask(deadline: deadline) { promise.fail(Refusal.timedOut) }
        defer { timer.cancel() }
        let left = deadline - NIODeadline.now()
        ClientBootstrap(group: loop)
            .connectTimeout(min(left, .seconds(4)))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if url.isSecure { try pipeline.addHandler(tlsHandler(for: url.host)) }
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try pipeline.addHandler(handler(promise))
                }
            }
            .connect(to: address)
            .whenFailure { _ in promise.fail(Refusal.unreachable) }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
        }
    }

    private static func lookUp(_ host: String, port: Int) -> [SocketAddress] {
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

    private func tlsHandler(for host: String) throws -> NIOSSLClientHandler {
        // An address in figures has no SNI (RFC 6066 §3).
        let isAddress = host.contains(":") || (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host)
    }
}
