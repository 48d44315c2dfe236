import NIOCore
import NIOPosix
import NIOSSL

/// A connection that is logged in.
struct Wire: Sendable {
    let channel: any Channel
    private let handler: NIOLoopBound<WireHandler>

    private init(_ channel: any Channel, _ handler: NIOLoopBound<WireHandler>) {
        self.channel = channel
        self.handler = handler
    }

    /// Connects to the server, or to the master that Sentinels name, and logs in. Fails with `RedisError`.
    static func open(_ configuration: Redis.Configuration, on eventLoop: any EventLoop) -> EventLoopFuture<Wire> {
        guard let sentinel = configuration.sentinel else { return connect(configuration, on: eventLoop) }
        return eventLoop.makeFutureWithTask { try await openMaster(by: sentinel, configuration, on: eventLoop) }
    }

    static func connect(_ configuration: Redis.Configuration, on eventLoop: any EventLoop) -> EventLoopFuture<Wire> {
        let tls: NIOSSLContext?
        do { tls = try configuration.usesTLS ? tlsContext(configuration) : nil } catch {
            return eventLoop.makeFailedFuture(RedisError.unavailable("TLS: \(error)"))
        }
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let name = configuration.host.contains(where: \.isLetter) ? configuration.host : nil
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: name))
                    }
                    try channel.pipeline.syncOperations.addHandler(WireHandler(configuration))
                }
            }
            .connect(host: configuration.host, port: configuration.port)
            .flatMapError { eventLoop.makeFailedFuture(RedisError.unavailable("\($0)")) }
            .flatMap { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = try channel.pipeline.syncOperations.handler(type: WireHandler.self)
                    return Wire(channel, NIOLoopBound(handler, eventLoop: channel.eventLoop))
                }
                .flatMap { (wire: Wire) in wire.logIn(configuration) }
            }
    }

    func send(_ arguments: [any RedisArgument]) -> EventLoopFuture<RESPValue> {
        let promise = channel.eventLoop.makePromise(of: RESPValue.self)
        var command = channel.allocator.buffer(capacity: 128)
        RESPWriter.write(arguments, to: &command)
        channel.eventLoop.execute { [command] in handler.value.send(command, promise) }
        return promise.futureResult
    }

    /// Several commands in one flush; their answers in order.
    func send(pipelined commands: [[any RedisArgument]]) -> EventLoopFuture<[RESPValue]> {
        EventLoopFuture.whenAllSucceed(commands.map(send), on: channel.eventLoop)
    }

    func sendUnanswered(_ arguments: [any RedisArgument]) {
        var command = channel.allocator.buffer(capacity: 128)
        RESPWriter.write(arguments, to: &command)
        channel.eventLoop.execute { [command] in handler.value.sendUnanswered(command) }
    }

    func takePushes(_ body: @escaping @Sendable (RESPValue) -> Void) {
        channel.eventLoop.execute { handler.value.takePushes(body) }
    }

    func close() { channel.close(promise: nil) }

    /// Completed, with the reason, when the connection has ended.
    var ended: EventLoopFuture<RedisError> {
        channel.closeFuture.flatMapThrowing { () }.flatMapErrorThrowing { _ in () }.map { handler.value.reason }
    }

    private func logIn(_ configuration: Redis.Configuration) -> EventLoopFuture<Wire> {
        var commands: [[any RedisArgument]] = []
        if let password = configuration.password {
            commands.append(configuration.user.map { ["AUTH", $0, password] } ?? ["AUTH", password])
        }
        if configuration.database != 0 { commands.append(["SELECT", configuration.database]) }
        // Also shows that the server answers at all: a frozen one still accepts connections.
        commands.append(["PING"])
        return send(pipelined: commands).flatMapThrowing { replies in
            for case .error(let message) in replies { throw RedisError.server(message) }
            return self
        }
        .flatMapError { error in
            self.close()
            return self.channel.eventLoop.makeFailedFuture(error)
        }
    }

    private static func tlsContext(_ configuration: Redis.Configuration) throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.tlsCAFile { tls.trustRoots = .file(file) }
        return try NIOSSLContext(configuration: tls)
    }
}
