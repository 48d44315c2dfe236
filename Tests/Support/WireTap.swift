import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// A relay between clients and a server that keeps what the clients say, and when they waited for the server in between.
///
/// It listens on a port of loopback and lives as long as it is held.
public final class WireTap: Sendable {
    /// What the client of one connection said.
    public struct Speech: Sendable {
        /// The connections are counted from 0, in the order in which they came.
        public let connection: Int
        /// The first 8 kB that were ever said on the connection.
        public fileprivate(set) var beginning: [UInt8]
        /// What was said without hearing the server meanwhile: each a round trip.
        public fileprivate(set) var turns: [[UInt8]]

        public var bytes: [UInt8] { turns.flatMap { $0 } }
    }

    private struct Record {
        var connections = 0
        var speeches: [Int: Speech] = [:]
        var beginnings: [Int: [UInt8]] = [:]
        /// Connections whose server has spoken since their client did.
        var answered: Set<Int> = []
        var open: [Int: any Channel] = [:]

        mutating func said(_ bytes: ByteBuffer, on connection: Int) {
            var beginning = beginnings[connection] ?? []
            beginning += bytes.readableBytesView.prefix(8192 - beginning.count)
            beginnings[connection] = beginning
            var speech = speeches[connection] ?? Speech(connection: connection, beginning: [], turns: [])
            speech.beginning = beginning
            let isAnswered = answered.remove(connection) != nil
            if speech.turns.isEmpty || isAnswered { speech.turns.append([]) }
            speech.turns[speech.turns.count - 1] += bytes.readableBytesView
            speeches[connection] = speech
        }
    }

    private let listener: any Channel
    private let record: NIOLockedValueBox<Record>

    /// - Parameters:
    ///   - host: Of the server, an address of loopback.
    ///   - authority: Speaks TLS to the server, as one that is called `localhost`, and trusts this file of certificates.
    ///     Clients speak without TLS.
    public init(host: String, port: Int, authority: String? = nil) async throws {
        let tls = try authority.map { file in
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.trustRoots = .file(file)
            return try NIOSSLContext(configuration: configuration)
        }
        let record = NIOLockedValueBox(Record())
        self.record = record
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { client in
                WireTap.connect(client, to: (host, port), tls: tls, record)
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    deinit {
        listener.close(promise: nil)
        hangUp()
    }

    /// Where clients connect to.
    public var port: Int { listener.localAddress?.port ?? 0 }

    /// What clients said since this was asked last, by connection.
    public func take() -> [Speech] {
        record.withLockedValue { record in
            defer {
                record.speeches = [:]
                record.answered = []
            }
            return record.speeches.values.sorted { $0.connection < $1.connection }
        }
    }

    /// Ends every connection.
    public func hangUp() {
        for client in record.withLockedValue({ Array($0.open.values) }) { client.close(promise: nil) }
    }

    /// The client's channel reads nothing before its server is there.
    private static func connect(
        _ client: any Channel, to server: (host: String, port: Int), tls: NIOSSLContext?,
        _ record: NIOLockedValueBox<Record>
    ) -> EventLoopFuture<Void> {
        let number = record.withLockedValue { record in
            defer { record.connections += 1 }
            record.open[record.connections] = client
            return record.connections
        }
        client.closeFuture.whenComplete { _ in record.withLockedValue { $0.open[number] = nil } }
        return ClientBootstrap(group: client.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    if let tls {
                        try server.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    try server.pipeline.syncOperations.addHandler(
                        RelayHandler(to: client) { _ in record.withLockedValue { _ = $0.answered.insert(number) } })
                }
            }
            .connect(host: server.host, port: server.port)
            .flatMap { server in
                client.eventLoop.makeCompletedFuture {
                    try client.pipeline.syncOperations.addHandler(
                        RelayHandler(to: server) { bytes in record.withLockedValue { $0.said(bytes, on: number) } })
                }
            }
    }
}

/// Hands on to another channel of the same event loop what its own reads. Holds back nothing: what tests say is small.
private final class RelayHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let note: (ByteBuffer) -> Void

    init(to other: any Channel, note: @escaping (ByteBuffer) -> Void) {
        self.other = other
        self.note = note
    }

    func channelActive(context: ChannelHandlerContext) {
        // That of the server waits until its client can be written to.
        other.setOption(.autoRead, value: true).whenFailure { [other] _ in other.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        note(bytes)
        other.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
