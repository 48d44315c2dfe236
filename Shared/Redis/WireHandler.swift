import NIOCore

/// One connection's end of the wire: commands out, answers to them in their order, and what comes unasked to a
/// subscriber. Finds out whether the server is alive by a PING after a second of silence.
///
/// All of it runs on the channel's event loop.
final class WireHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Pending {
        /// nil for a PING of our own.
        let promise: EventLoopPromise<RESPValue>?
        let deadline: NIODeadline
    }

    private static let tickInterval: TimeAmount = .milliseconds(200)
    private static let silenceBeforePing: TimeAmount = .seconds(1)

    private let timeout: TimeAmount
    private let pingTimeout: TimeAmount
    private let maximumPending: Int
    private let reader = RESPReader()
    private var pending: CircularBuffer<Pending> = []
    private var lastRead = NIODeadline.now()
    private var pingDeadline: NIODeadline?
    private var tick: Scheduled<Void>?
    private var context: ChannelHandlerContext?
    private var end: RedisError?
    /// Set by a subscriber once it is logged in: takes what answers no command.
    private var push: ((RESPValue) -> Void)?

    init(_ configuration: Redis.Configuration) {
        timeout = TimeAmount(configuration.commandTimeout)
        pingTimeout = min(timeout, .milliseconds(1500))
        maximumPending = configuration.maximumPending
    }

    /// Why the connection ended; for when it has.
    var reason: RedisError { end ?? .connectionLost("closed by the server") }

    /// Sends a command; the promise is always completed.
    func send(_ command: ByteBuffer, _ promise: EventLoopPromise<RESPValue>) {
        guard let context, end == nil else { return promise.fail(reason) }
        guard pending.count < maximumPending else { return promise.fail(RedisError.overloaded) }
        pending.append(Pending(promise: promise, deadline: .now() + timeout))
        context.writeAndFlush(NIOAny(command), promise: nil)
    }

    /// Sends a command whose answer comes as a push.
    func sendUnanswered(_ command: ByteBuffer) { context?.writeAndFlush(NIOAny(command), promise: nil) }

    func takePushes(_ body: @escaping (RESPValue) -> Void) { push = body }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastRead = .now()
        scheduleTick(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(reason)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = .now()
        pingDeadline = nil
        do {
            try reader.feed(Self.unwrapInboundIn(data))
            while let value = try reader.next() { try receive(value) }
        } catch {
            close(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(reason)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { close(.connectionLost("\(error)")) }

    private func receive(_ value: RESPValue) throws(RedisError) {
        if let first = pending.popFirst() {
            first.promise?.succeed(value)
            // Another server is the master now; its place is asked for again.
            if case .error(let message) = value, message.hasPrefix("READONLY") {
                close(.connectionLost("the server has become a replica"))
            }
        } else if let push {
            push(value)
        } else {
            throw .protocolViolation("an answer to no command")
        }
    }

    private func scheduleTick(_ context: ChannelHandlerContext) {
        tick = context.eventLoop.assumeIsolated().scheduleTask(in: Self.tickInterval) {
            guard self.end == nil, let context = self.context else { return }
            self.scheduleTick(context)
            self.checkLiveness()
        }
    }

    private func checkLiveness() {
        let now = NIODeadline.now()
        if let first = pending.first, first.deadline < now { return close(.timedOut) }
        if let pingDeadline, pingDeadline < now { return close(.timedOut) }
        guard now - lastRead >= Self.silenceBeforePing, pending.isEmpty, pingDeadline == nil, let context else {
            return
        }
        var ping = context.channel.allocator.buffer(capacity: 16)
        RESPWriter.write(["PING"], to: &ping)
        if push == nil {
            pending.append(Pending(promise: nil, deadline: now + pingTimeout))
        } else {
            pingDeadline = now + pingTimeout
        }
        context.writeAndFlush(NIOAny(ping), promise: nil)
    }

    private func close(_ reason: RedisError) {
        finish(reason)
        context?.close(promise: nil)
    }

    private func finish(_ reason: RedisError) {
        if end == nil { end = reason }
        tick?.cancel()
        tick = nil
        push = nil
        let unanswered = pending
        pending = []
        for command in unanswered { command.promise?.fail(reason) }
    }
}
