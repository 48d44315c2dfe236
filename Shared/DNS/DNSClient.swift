public import NIOCore
import NIOPosix

/// Asks one name server or resolver: by UDP, again when nothing comes, and by TCP what does not fit (RFC 1035 §4.2).
public struct DNSClient: Sendable {
    private let host: String
    private let port: Int
    private let timeout: TimeAmount

    /// - Parameter timeout: Of one attempt; there are two.
    public init(host: String, port: Int = 53, timeout: TimeAmount = .seconds(1)) {
        self.host = host
        self.port = port
        self.timeout = timeout
    }

    /// The values of a name's records of a type, in presentation format and in order; none when there are none.
    ///
    /// An alias on the way is followed by whoever answers; asked for the alias itself it tells of that.
    /// - Throws: `DNSError`.
    public func values(_ name: String, _ type: DNSType) async throws -> [String] {
        let query = DNSMessage(
            id: .random(in: 0 ... .max), name: name.lowercased(), type: type, wantsRecursion: true)
        let answer = try await answer(to: query.encoded(), id: query.id, question: query.questions[0])
        switch answer.responseCode {
        case 0, 3: break
        default: throw DNSError.refused(code: answer.responseCode)
        }
        return answer.answers.filter { $0.type == type.rawValue }
            .compactMap { DNSPresentation.text(type: type, data: $0.data) }.sorted()
    }

    /// The zone that a name is in, as its server tells; nil when that has none.
    /// - Throws: `DNSError`.
    public func zone(of name: String) async throws -> String? {
        let query = DNSMessage(id: .random(in: 0 ... .max), name: name.lowercased(), type: .soa, wantsRecursion: false)
        let answer = try await answer(to: query.encoded(), id: query.id, question: query.questions[0])
        guard answer.responseCode == 0 || answer.responseCode == 3 else { return nil }
        return (answer.answers + answer.authority).first { $0.type == DNSType.soa.rawValue }?.name
    }

    /// Changes a zone, all or nothing (RFC 2136).
    /// - Throws: `DNSError`.
    public func update(zone: String, _ changes: [DNSResourceRecord], key: TSIGKey, time: UInt64) async throws {
        let message = DNSMessage(id: .random(in: 0 ... .max), updating: zone, changes: changes)
        // By TCP: many keys do not fit into a datagram, and an update that was taken is not to be sent again unseen.
        let answer = try await exchangeOverTCP(key.sign(message, time: time))
        guard answer.id == message.id else { throw DNSError.malformed }
        guard answer.responseCode == 0 else { throw DNSError.refused(code: answer.responseCode) }
    }

    private func answer(
        to query: [UInt8], id: UInt16, question: DNSMessage.Question
    ) async throws -> DNSMessage {
        var failure = DNSError.timeout
        for _ in 0..<2 {
            do {
                let answer = try await exchangeOverUDP(query) { message in
                    message.id == id && message.isResponse && message.questions.first == question
                }
                return answer.isTruncated ? try await exchangeOverTCP(query) : answer
            } catch let error as DNSError { failure = error }
        }
        throw failure
    }

    private func exchangeOverUDP(
        _ query: [UInt8], isWanted: @escaping @Sendable (DNSMessage) -> Bool
    ) async throws -> DNSMessage {
        let address = try address()
        return try await withChannel { group, promise in
            DatagramBootstrap(group: group).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramAnswer(server: address, isWanted: isWanted, promise: promise))
                }
            }.connect(to: address)
        } send: { channel in
            channel.writeAndFlush(AddressedEnvelope(remoteAddress: address, data: ByteBuffer(bytes: query)))
        }
    }

    private func exchangeOverTCP(_ query: [UInt8]) async throws -> DNSMessage {
        let address = try address()
        return try await withChannel { [timeout] group, promise in
            ClientBootstrap(group: group).connectTimeout(timeout).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamAnswer(promise: promise))
                }
            }.connect(to: address)
        } send: { channel in
            var buffer = ByteBuffer()
            buffer.writeInteger(UInt16(clamping: query.count))
            buffer.writeBytes(query)
            return channel.writeAndFlush(buffer)
        }
    }

    private func address() throws -> SocketAddress {
        do { return try SocketAddress(ipAddress: host, port: port) } catch { throw DNSError.unreachable }
    }

    /// One exchange on a channel of its own, which has ended when this returns.
    private func withChannel(
        _ open: @Sendable (any EventLoopGroup, EventLoopPromise<DNSMessage>) -> EventLoopFuture<any Channel>,
        send: @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> DNSMessage {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: DNSMessage.self)
        let deadline = loop.scheduleTask(in: timeout) { promise.fail(DNSError.timeout) }
        defer { deadline.cancel() }
        let channel: any Channel
        do { channel = try await open(loop, promise).get() } catch {
            promise.fail(DNSError.unreachable)
            throw DNSError.unreachable
        }
        send(channel).whenFailure { _ in promise.fail(DNSError.unreachable) }
        do {
            let answer = try await promise.futureResult.get()
            try? await channel.close()
            return answer
        } catch {
            try? await channel.close()
            throw error
        }
    }
}

/// Waits for the datagram that answers; what others send in its place is passed over.
private final class DatagramAnswer: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    private let server: SocketAddress
    private let isWanted: @Sendable (DNSMessage) -> Bool
    private let promise: EventLoopPromise<DNSMessage>

    init(
        server: SocketAddress, isWanted: @escaping @Sendable (DNSMessage) -> Bool, promise: EventLoopPromise<DNSMessage>
    ) {
        self.server = server
        self.isWanted = isWanted
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard envelope.remoteAddress == server,
            let message = try? DNSMessage(parsing: Array(envelope.data.readableBytesView)), isWanted(message)
        else { return }
        promise.succeed(message)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(DNSError.unreachable)
        context.close(promise: nil)
    }
}

/// Waits for the message that answers on a stream: two bytes of length, then the message (RFC 1035 §4.2.2).
private final class StreamAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<DNSMessage>
    private var received = ByteBuffer()

    init(promise: EventLoopPromise<DNSMessage>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        guard let length = received.getInteger(at: received.readerIndex, as: UInt16.self),
            let body = received.getBytes(at: received.readerIndex + 2, length: Int(length))
        else { return }
        do throws(DNSError) { promise.succeed(try DNSMessage(parsing: body)) } catch { promise.fail(error) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.fail(DNSError.unreachable) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(DNSError.unreachable)
        context.close(promise: nil)
    }
}
