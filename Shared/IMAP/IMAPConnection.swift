public import Logging
public import NIOCore
public import NIOPosix

/// A connection to an IMAP server.
///
/// Any task may run commands on it at any time; they are written at once and answered in the server's order. Commands
/// given together to `pipeline` leave in one write and cost one round trip. What the server says unasked is kept as
/// events, in bounded number, for `takeEvents`, or told while it idles.
///
/// Every method throws `IMAPError`, or `CancellationError` when its task is cancelled: then the command may have been
/// carried out.
public final class IMAPConnection: Sendable {
    private let channel: any Channel
    private let handler: NIOLoopBound<IMAPChannelHandler>
    private let state: ConnectionState

    private init(channel: any Channel, handler: NIOLoopBound<IMAPChannelHandler>, state: ConnectionState) {
        self.channel = channel
        self.handler = handler
        self.state = state
    }

    /// Connects, sets up TLS as configured and reads the greeting and the capabilities.
    /// - Throws: `.unreachable`, `.timedOut`, or `.bye` when the server turns us away.
    public static func connect(
        _ configuration: IMAPConfiguration, on group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        logger: Logger = Logger(label: "imap")
    ) async throws -> IMAPConnection {
        let state = ConnectionState(configuration)
        let opened = try await IMAPChannelHandler.open(configuration, on: group, state: state, logger: logger)
        let connection = IMAPConnection(channel: opened.channel, handler: opened.handler, state: state)
        do {
            if configuration.security == .startTLS { try await connection.run(.startTLS) }
            if state.capabilities.isEmpty { _ = try await connection.run(.capability) }
        } catch {
            connection.close()
            throw error
        }
        return connection
    }

    /// What the server can do, as it said last.
    public var capabilities: Set<IMAPCapability> { state.capabilities }

    /// Whether the greeting was PREAUTH: no authentication is needed (RFC 9051 §7.1.4).
    public var isPreauthenticated: Bool { state.isPreauthenticated }

    /// False once the connection has ended, for whatever reason.
    public var isOpen: Bool { channel.isActive && state.failure == nil }

    /// Whether the caller runs on the event loop of the connection, so that no thread has to be waked for a command.
    public var isOnCurrentLoop: Bool { channel.eventLoop.inEventLoop }

    /// What went over the wire so far: `flushes` counts round trips.
    public var traffic: IMAPTraffic { state.traffic }

    // MARK: Commands

    /// Runs one command.
    /// - Throws: `.no` or `.bad` as the server answered, or why the connection ended.
    public func run<Output: Sendable>(_ command: IMAPCommand<Output>) async throws -> Output {
        let results = try await perform([command.request])
        return try command.interpret(results[0].get())
    }

    /// Runs commands in order, all written at once: one round trip.
    ///
    /// The server carries out all of them even if one fails. Do not put a command that uses sequence numbers behind one
    /// that may expunge (RFC 9051 §5.5).
    /// - Throws: the error of the first that failed, after all have been answered.
    public func pipeline<each Output: Sendable>(
        _ commands: repeat IMAPCommand<each Output>
    ) async throws -> (repeat each Output) {
        var requests: [CommandRequest] = []
        repeat requests.append((each commands).request)
        var results = try await perform(requests).makeIterator()
        return (repeat try Self.next(each commands, &results))
    }

    /// Runs any number of like commands in one round trip and gives each one's own result.
    public func pipeline<Output: Sendable>(
        _ commands: [IMAPCommand<Output>]
    ) async throws -> [Result<Output, IMAPError>] {
        let results = try await perform(commands.map(\.request))
        return zip(commands, results).map { command, result in
            result.flatMap { responses in
                Result { () throws(IMAPError) in try command.interpret(responses) }
            }
        }
    }

    private static func next<Output>(
        _ command: IMAPCommand<Output>, _ results: inout IndexingIterator<[CommandResult]>
    ) throws -> Output {
        guard let result = results.next() else { throw IMAPError.closed }
        return try command.interpret(result.get())
    }

    private func perform(_ requests: [CommandRequest]) async throws -> [CommandResult] {
        if let reason = requests.lazy.compactMap(\.invalid).first { throw IMAPError.invalidArgument(reason) }
        if requests.isEmpty { return [] }
        let ticket = state.nextTicket()
        let promise = channel.eventLoop.makePromise(of: [CommandResult].self)
        return try await withTaskCancellationHandler {
            if isOnCurrentLoop {
                handler.value.submit(requests, ticket: ticket, promise: promise)
            } else {
                channel.eventLoop.execute { self.handler.value.submit(requests, ticket: ticket, promise: promise) }
            }
            return try await promise.futureResult.get()
        } onCancel: {
            channel.eventLoop.execute { self.handler.value.abandon(ticket) }
        }
    }

    // MARK: Authentication

    /// AUTHENTICATE, with ID before it in the same round trip when fields are given (RFC 2971).
    ///
    /// An error challenge of XOAUTH2 or OAUTHBEARER is answered as the server needs it and handed out with the error.
    /// - Throws: `.authenticationFailed`; its code is `.unavailable` when the server could not check us just now.
    public func authenticate(
        _ mechanism: SASLMechanism, id fields: KeyValuePairs<String, String> = [:]
    ) async throws {
        guard let initial = mechanism.initialResponse else {
            throw IMAPError.invalidArgument("user or secret with a control character")
        }
        let login = mechanism.request(initialResponse: initial, inOneStep: capabilities.contains(.saslIR))
        var requests = [login]
        if fields.count > 0 { requests.insert(IMAPCommand.id(fields).request, at: 0) }
        _ = try await perform(requests)[requests.count - 1].get()
        // Most servers tell in the greeting and in the answer to AUTHENTICATE (RFC 9051 §6.2.2).
        if state.capabilities.isEmpty { _ = try await run(.capability) }
    }

    // MARK: Events

    /// The events that came since the last call, oldest first.
    public func takeEvents() -> [IMAPEvent] { state.events.take() }

    /// Listens: from now on IDLE is on whenever no command is (RFC 9051 §6.3.13), until `stopIdling`.
    ///
    /// Commands may be run meanwhile by anybody; IDLE makes way and comes back. A function is told and no stream is read, so
    /// that a connection which hears nothing for hours keeps neither a queue nor a task that waits for it.
    /// - Parameters:
    ///   - renewal: how often IDLE is begun anew, below the 30 minutes that servers wait. A server that does not answer
    ///     within the command time-out then is taken for dead.
    ///   - tell: Given the events not yet taken, then each as it comes, and at last why the connection ended, if it did. One
    ///     call at a time, in order; it must be quick, and ask nothing of the connection. It takes the place of an earlier.
    /// - Throws: `.unsupported(.idle)`.
    public func startIdling(
        renewal: TimeAmount = .minutes(25), tell: @escaping @Sendable (Result<IMAPEvent, IMAPError>) -> Void
    ) throws(IMAPError) {
        guard capabilities.contains(.idle) else { throw .unsupported(.idle) }
        state.events.tell(tell)
        channel.eventLoop.execute { self.handler.value.startIdling(renewal: renewal) }
    }

    /// Ends IDLE. Nothing is told any more when this returns; events are kept again.
    public func stopIdling() {
        state.events.endTelling()
        channel.eventLoop.execute { self.handler.value.stopIdling() }
    }

    // MARK: The end

    /// LOGOUT, then closes. Never fails: the connection is gone afterwards either way.
    public func logout() async {
        _ = try? await run(.logout)
        close()
    }

    /// Closes at once; commands still running fail with `.closed`.
    public func close() {
        channel.eventLoop.execute { self.handler.value.shutDown(.closed) }
    }

    /// Returns when the connection has ended.
    public func closed() async {
        try? await channel.closeFuture.get()
    }
}

typealias CommandResult = Result<CommandResponses, IMAPError>
