import CMariaDB
public import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A pool of connections to one MariaDB server, with libmariadb's blocking calls on threads of their own: as many
/// threads as connections, so that a statement never waits for one after it got the other.
///
/// A connection is opened when it is first needed. Once the server is known to be away every call fails at once with
/// `MariaDBError.unavailable`, while a probe every 500 ms looks for its return. All values are bound parameters of
/// prepared statements, cached per connection. Sessions are utf8mb4, UTC, strict, READ COMMITTED.
public final class MariaDB: Sendable {
    private struct State {
        var idle: [Connection] = []
        /// Calls that run or wait.
        var admitted = 0
        /// Set while the server is away: the reason.
        var away: String?
        var isClosed = false
    }

    private static let probeInterval: TimeAmount = .milliseconds(500)
    private static let transactionAttempts = 3
    /// libmariadb sets up its globals once, before threads use it.
    private static let isLibraryReady = mysql_server_init(0, nil, nil) == 0

    private let configuration: Configuration
    private let logger: Logger
    private let threads: NIOThreadPool
    private let state = NIOLockedValueBox(State())

    /// Starts the threads; connects at the first call.
    public init(_ configuration: Configuration, logger: Logger = Logger(label: "mariadb")) {
        precondition(Self.isLibraryReady && configuration.connections > 0)
        self.configuration = configuration
        self.logger = logger
        threads = NIOThreadPool(numberOfThreads: configuration.connections)
        threads.start()
    }

    /// The rows of a SELECT. Throws `MariaDBError`.
    public func query(_ sql: SQL) async throws -> [Row] { try await onConnection { try $0.query(sql) } }

    /// Runs a statement that gives no rows. Throws `MariaDBError`.
    @discardableResult
    public func execute(_ sql: SQL) async throws -> Outcome { try await onConnection { try $0.execute(sql) } }

    /// Runs `body` in one transaction on one connection: commits when it returns, rolls back when it throws, runs it
    /// again (three times in all at most) when the server rolled it back to end a deadlock.
    ///
    /// The body blocks a thread of the pool, must not wait for anything else, and has no effects but its statements.
    /// Throws `MariaDBError`, or what the body throws.
    public func transaction<T: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> T) async throws -> T {
        try await onConnection { connection in
            for _ in 1..<Self.transactionAttempts {
                do { return try connection.transaction(body) } catch let error as MariaDBError where error.isDeadlock {}
            }
            return try connection.transaction(body)
        }
    }

    /// Runs `body` on a connection of its own, outside a transaction, while holding the server-wide lock `name`; for
    /// migrations.
    ///
    /// - Parameters:
    ///   - timeout: How long to wait for the lock; then `MariaDBError.lockNotAcquired`.
    ///   - statementTimeout: Takes the place of the configured `queryTimeout`; at least `timeout`.
    public func lock<T: Sendable>(
        name: String, timeout: Duration, statementTimeout: Duration = .seconds(600),
        _ body: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T {
        var configuration = configuration
        configuration.queryTimeout = max(statementTimeout, timeout * 2)
        return try await onThread { [configuration] in
            let connection = try self.connect(configuration)
            return try connection.locked(name, wait: timeout) { try body(Transaction(connection: connection)) }
        }
    }

    /// One round trip to the server. Throws `MariaDBError`.
    public func ping() async throws { try await onConnection { try $0.ping() } }

    /// Lets running statements end, then closes all connections; later calls throw `MariaDBError.closed`.
    public func close() async {
        let idle = state.withLockedValue { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        _ = consume idle
        // Fails only when it has been shut down before.
        try? await threads.shutdownGracefully()
    }
}

extension MariaDB {
    private func onConnection<T: Sendable>(_ body: @escaping @Sendable (Connection) throws -> T) async throws -> T {
        try await onThread {
            let connection = try self.takeConnection()
            defer { self.giveBack(connection) }
            return try body(connection)
        }
    }

    /// Runs `body` on a thread of the pool, in its turn.
    private func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try admit()
        defer { state.withLockedValue { $0.admitted -= 1 } }
        let latestStart = ContinuousClock.now + configuration.queryTimeout
        do {
            return try await threads.runIfActive {
                guard ContinuousClock.now < latestStart else { throw MariaDBError.overloaded }
                return try body()
            }
        } catch let error as CancellationError {
            throw state.withLockedValue(\.isClosed) ? MariaDBError.closed : error
        }
    }

    private func admit() throws(MariaDBError) {
        let refusal: MariaDBError? = state.withLockedValue { state in
            if state.isClosed { return .closed }
            if let reason = state.away { return .unavailable(message: reason) }
            if state.admitted >= configuration.connections + configuration.maximumWaiting { return .overloaded }
            state.admitted += 1
            return nil
        }
        if let refusal { throw refusal }
    }

    /// An idle connection that is still open, else a new one.
    private func takeConnection() throws -> Connection {
        while true {
            let (idle, away) = state.withLockedValue { ($0.away == nil ? $0.idle.popLast() : nil, $0.away) }
            if let away { throw MariaDBError.unavailable(message: away) }
            guard let idle else { return try connect(configuration) }
            if idle.isOpen { return idle }
        }
    }

    private func connect(_ configuration: Configuration) throws -> Connection {
        do {
            return try Connection(configuration)
        } catch {
            if error.isServerAway { serverWentAway(error.message) }
            throw MariaDBError.unavailable(message: error.message)
        }
    }

    private func giveBack(_ connection: Connection) {
        if connection.hungServer { serverWentAway("no answer within the time-out") }
        guard !connection.isBroken else { return }
        state.withLockedValue { state in
            if !state.isClosed, state.away == nil { state.idle.append(connection) }
        }
    }
}

extension MariaDB {
    private func serverWentAway(_ reason: String) {
        let dropped: [Connection]? = state.withLockedValue { state in
            guard state.away == nil, !state.isClosed else { return nil }
            state.away = reason
            defer { state.idle = [] }
            return state.idle
        }
        guard dropped != nil else { return }
        logger.warning("database is away", metadata: ["reason": "\(reason)"])
        scheduleProbe()
    }

    private func scheduleProbe() {
        MultiThreadedEventLoopGroup.singleton.next().scheduleTask(in: Self.probeInterval) {
            self.threads.submit { state in if case .active = state { self.probe() } }
        }
    }

    /// Tries to connect; any answer of the server, even a refusal, means that it is back.
    private func probe() {
        guard !state.withLockedValue(\.isClosed) else { return }
        let connection: Connection?
        do {
            connection = try Connection(configuration)
        } catch  where error.isServerAway {
            scheduleProbe()
            return
        } catch {
            connection = nil
        }
        state.withLockedValue { state in
            state.away = nil
            if let connection, !state.isClosed { state.idle.append(connection) }
        }
        logger.info("database is back")
    }
}
