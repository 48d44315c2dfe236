#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// The I/O around `ConnectionStateMachine`: it feeds the machine, writes what it puts out, and keeps the clocks.
final class IMAPChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A channel on its way to the greeting.
    struct Opening: Sendable {
        let channel: any Channel
        let handler: NIOLoopBound<IMAPChannelHandler>
        let greeting: EventLoopFuture<Void>
    }

    /// Commands given together, answered together.
    private struct Batch {
        let promise: EventLoopPromise<[CommandResult]>
        var results: [CommandResult?]
        var missing: Int
    }

    private let configuration: IMAPConfiguration
    private let state: ConnectionState
    private let logger: Logger
    private let eventLoop: any EventLoop
    private let greeting: EventLoopPromise<Void>
    private var machine: ConnectionStateMachine
    private var context: ChannelHandlerContext?
    private var batches: [Int: Batch] = [:]
    private var greetingTimer: Scheduled<Void>?
    private var silenceTimer: Scheduled<Void>?
    private var renewal = TimeAmount.minutes(25)
    private var idleTimer: NIOScheduledCallback?
    private var lastHeard = NIODeadline.now()
    /// When the command that has waited longest became the first.
    private var waitingSince = NIODeadline.now()

    init(_ configuration: IMAPConfiguration, state: ConnectionState, eventLoop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        self.state = state
        self.eventLoop = eventLoop
        self.logger = logger
        greeting = eventLoop.makePromise()
        machine = ConnectionStateMachine(
            limits: configuration.limits, capacity: configuration.commandCapacity,
            known: configuration.knownCapabilities)
    }

    // MARK: Opening

    /// Bytes. A server that holds back what does not fill a segment (Dovecot sets TCP_CORK) would on a loopback, where
    /// segments have 64 kB, send nothing before it has written everything, and nothing could be read meanwhile.
    private static let segmentSize = 16384

    private static func receiveBuffer(_ configuration: IMAPConfiguration) -> AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(
            minimum: 64, initial: min(2048, configuration.largestRead), maximum: configuration.largestRead)
    }

    static func open(
        _ configuration: IMAPConfiguration, on group: any EventLoopGroup, state: ConnectionState, logger: Logger
    ) async throws -> Opening {
        do {
            let tls = configuration.security == .plain ? nil : try configuration.tlsContext.get()
            let opening = try await ClientBootstrap(group: group)
                .connectTimeout(configuration.connectTimeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.tcpOption(.init(rawValue: CInt(TCP_MAXSEG))), value: segmentSize)
                .channelOption(.recvAllocator, value: receiveBuffer(configuration))
                .connect(host: configuration.host, port: configuration.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls, configuration.security == .tls {
                            try channel.pipeline.syncOperations.addHandler(
                                configuration.makeTLSHandler(tls))
                        }
                        let handler = IMAPChannelHandler(
                            configuration, state: state, eventLoop: channel.eventLoop, logger: logger)
                        try channel.pipeline.syncOperations.addHandler(handler)
                        return Opening(
                            channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop),
                            greeting: handler.greeting.futureResult)
                    }
                }
            try await opening.greeting.get()
            return opening
        } catch let error as IMAPError {
            throw error
        } catch ChannelError.connectTimeout {
            throw IMAPError.timedOut
        } catch {
            throw IMAPError.unreachable(String(describing: error))
        }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        greetingTimer = eventLoop.scheduleTask(in: configuration.connectTimeout) { bound.value.shutDown(.timedOut) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        shutDown(.closed)
        self.context = nil
    }

    // MARK: From the connection's owner

    func submit(_ requests: [CommandRequest], ticket: Int, promise: EventLoopPromise<[CommandResult]>) {
        batches[ticket] = Batch(
            promise: promise, results: Array(repeating: nil, count: requests.count), missing: requests.count)
        state.count { $0.commands += requests.count }
        if !machine.isServerAwaited {
            lastHeard = .now()
            waitingSince = lastHeard
        }
        perform(machine.submit(requests, ticket: ticket))
    }

    /// Nobody waits for these any more. What was written is written; its answers are passed over. A server that goes on
    /// answering for long would keep all who come after from their turn: the connection is then given up.
    func abandon(_ ticket: Int) {
        guard let batch = batches.removeValue(forKey: ticket) else { return }
        batch.promise.fail(CancellationError())
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: Self.patience) {
            if bound.value.machine.isPending(ticket) { bound.value.shutDown(.timedOut) }
        }
    }

    /// How long an answer that nobody wants may go on.
    private static let patience = TimeAmount.seconds(1)

    func startIdling(renewal: TimeAmount) {
        idleTimer?.cancel()
        self.renewal = renewal
        scheduleRenewal()
        lastHeard = .now()
        waitingSince = lastHeard
        machine.startIdling()
        perform([])
    }

    func stopIdling() {
        idleTimer?.cancel()
        idleTimer = nil
        machine.stopIdling()
        perform([])
    }

    /// A callback and no repeated task, which would take half a kilobyte for each of many connections that listen.
    private func scheduleRenewal() {
        // Throws only when the loop is ending, and with it all its connections.
        idleTimer = try? eventLoop.assumeIsolated().scheduleCallback(in: renewal, handler: Renewal(handler: self))
    }

    private struct Renewal: NIOScheduledCallbackHandler {
        let handler: IMAPChannelHandler

        func handleScheduledCallback(eventLoop: some EventLoop) { handler.renewIdle() }
    }

    private func renewIdle() {
        scheduleRenewal()
        lastHeard = .now()
        waitingSince = lastHeard
        machine.renewIdle()
        perform([])
    }

    func shutDown(_ error: IMAPError) {
        perform(machine.end(error))
    }

    // MARK: From the server

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        lastHeard = .now()
        state.count { $0.bytesReceived += buffer.readableBytes }
        perform(buffer.withUnsafeReadableBytes { machine.receive($0) })
    }

    func channelInactive(context: ChannelHandlerContext) {
        shutDown(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The server's leaving without a TLS goodbye is no news.
        logger.debug("IMAP connection failed", metadata: ["error": "\(error)"])
        shutDown(state.capabilities.isEmpty ? .unreachable(String(describing: error)) : .closed)
    }

    // MARK: To both

    private func perform(_ actions: [ConnectionStateMachine.Action]) {
        for action in actions {
            switch action {
            case .greeted(let isPreauthenticated):
                if isPreauthenticated { state.setPreauthenticated() }
                greetingTimer?.cancel()
                greetingTimer = nil
                greeting.succeed()
            case .capabilities(let capabilities): state.set(capabilities: capabilities)
            case .event(let event): state.events.push(event)
            case .startTLS: startTLS()
            case .completed(let id, let result): complete(id, result)
            case .ended(let error): ended(error)
            }
        }
        // Behind the actions: what waited for STARTTLS must not leave before TLS is there.
        flush()
        watchForSilence()
    }

    private func flush() {
        guard let context else { return }
        let output = machine.takeOutput()
        guard !output.isEmpty else { return }
        var count = 0
        for bytes in output {
            count += bytes.count
            context.write(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
        }
        context.flush()
        state.count {
            $0.flushes += 1
            $0.bytesSent += count
        }
    }

    private func complete(_ id: CommandID, _ result: CommandResult) {
        waitingSince = .now()
        guard var batch = batches[id.ticket] else { return }
        batch.results[id.index] = result
        batch.missing -= 1
        if batch.missing == 0 {
            batches[id.ticket] = nil
            // An empty one takes no memory; one that was used does.
            if batches.isEmpty { batches = [:] }
            batch.promise.succeed(batch.results.compactMap { $0 })
        } else {
            batches[id.ticket] = batch
        }
    }

    private func startTLS() {
        guard let context else { return }
        do {
            let handler = try configuration.makeTLSHandler(configuration.tlsContext.get())
            try context.pipeline.syncOperations.addHandler(handler, position: .first)
        } catch {
            shutDown(.unreachable(String(describing: error)))
        }
    }

    private func ended(_ error: IMAPError) {
        state.fail(error)
        greetingTimer?.cancel()
        silenceTimer?.cancel()
        idleTimer?.cancel()
        idleTimer = nil
        greeting.fail(error)
        context?.close(promise: nil)
    }

    /// One timer at a time, and none while the server owes us nothing.
    private func watchForSilence() {
        guard silenceTimer == nil, machine.isServerAwaited else { return }
        let silentAt = lastHeard + configuration.commandTimeout
        let deadline = min(silentAt, waitingSince + configuration.commandLimit)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        silenceTimer = eventLoop.scheduleTask(deadline: deadline) { bound.value.checkSilence() }
    }

    private func checkSilence() {
        silenceTimer = nil
        guard machine.isServerAwaited else { return }
        let now = NIODeadline.now()
        if now >= lastHeard + configuration.commandTimeout || now >= waitingSince + configuration.commandLimit {
            shutDown(.timedOut)
        } else {
            watchForSilence()
        }
    }
}
