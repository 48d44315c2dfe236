import CMariaDB
import NIOConcurrencyHelpers
import NIOPosix

/// A pool of connections to one MariaDB server.
///
/// libmariadb blocks, so each connection works on a thread of the pool's own; a statement never waits for a connection
/// once it has a thread. While the server is away calls fail at once, and one call every half second finds out whether
/// it is back.
public final class MariaDB: Sendable {
    public struct Configuration: Sendable {
        public var host: String
        public var port: Int
        /// The path of a Unix socket; nil to use host and port.
        public var socket: String?
        public var user: String
        public var password: String
        public var database: String
        /// Connections, and threads.
        public var connections: Int
        /// How many calls may wait for a thread.
        public var queueLimit = 4096
        /// Whole seconds.
        public var connectTimeout = Duration.seconds(1)
        /// For one statement; whole seconds.
        public var queryTimeout = Duration.seconds(3)

        public init(
            host: String = "127.0.0.1", port: Int = 3306, socket: String? = nil, user: String, password: String,
            database: String, connections: Int = 4
        ) {
            self.host = host
            self.port = port
            self.socket = socket
            self.user = user
            self.password = password
            self.database = database
            self.connections = connections
        }
    }

    /// `@unchecked`: a connection is in here only while no thread uses it, and is taken out under the lock.
    private struct State: @unchecked Sendable {
        var idle: [Connection] = []
        var waiting = 0
        /// Set while the server is away: when the next call may try.
        var retryAt: ContinuousClock.Instant?
    }

    private static let retryInterval = Duration.milliseconds(500)
    private static let transactionAttempts = 3

    private let configuration: Configuration
    private let threads: NIOThreadPool
    private let state = NIOLockedValueBox(State())

    /// Connects on first use.
    public init(_ configuration: Configuration) {
        // Not thread-safe by itself, so before the threads.
        mysql_server_init(0, nil, nil)
        self.configuration = configuration
        threads = NIOThreadPool(numberOfThreads: max(1, configuration.connections))
        threads.start()
    }

    /// The rows of a SELECT. Tried once more on a fresh connection when an idle one turns out to be dead.
    /// - Throws: `MariaDBError`.
    public func query(_ sql: SQL) async throws -> [Row] {
        try await withConnection(retryIf: { $0.isConnectionLost && !$0.isTimeout }) { try $0.run(sql).rows }
    }

    /// A statement that changes something.
    /// - Throws: `MariaDBError`; after `isConnectionLost` it is not known whether the change was made.
    @discardableResult public func execute(_ sql: SQL) async throws -> Outcome {
        try await withConnection(retryIf: \.wasNotSent) { try $0.run(sql).outcome }
    }

    /// Runs the body in a transaction: committed when it returns, rolled back when it throws, run again (at most three
    /// times in all) when the server chose it to end a deadlock. So its only effects should be its statements.
    /// - Throws: `MariaDBError`, or what the body throws.
    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        try await withConnection(retryIf: \.wasNotSent) { connection in
            for _ in 1..<Self.transactionAttempts {
                do { return try Self.attempt(body, on: connection) } catch let error as MariaDBError
                    where error.isDeadlock
                {}
            }
            return try Self.attempt(body, on: connection)
        }
    }

    /// Runs the body while no other client of the server holds the lock of that name, on a connection of its own that
    /// may take a minute for each statement.
    /// - Throws: `MariaDBError`; a time-out when the lock was not free in time.
    public func lock<Value: Sendable>(
        name: String, timeout: Duration, _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        let configuration = configuration
        return try await threads.runIfActive {
            let connection = try Connection(configuration, timeout: .seconds(60))
            let seconds = Int(min(50, timeout.components.seconds))
            let rows = try connection.run("SELECT GET_LOCK(\(name), \(seconds)) AS held").rows
            guard try rows.first?.optionalInt64("held") == 1 else {
                throw MariaDBError(kind: .timeout, code: 0, sqlState: "", message: "the lock \(name) was not free in time")
            }
            // The lock goes with the connection.
            return try body(Transaction(connection: connection))
        }
    }

    /// One round trip to the server.
    /// - Throws: `MariaDBError`.
    public func ping() async throws { try await withConnection(retryIf: \.isConnectionLost) { try $0.ping() } }

    /// Ends the connections once what runs is done; calls after this fail.
    public func close() async {
        try? await threads.shutdownGracefully()
        state.withLockedValue { $0.idle.removeAll() }
    }

    private static func attempt<Value>(
        _ body: (Transaction) throws -> Value, on connection: Connection
    ) throws -> Value {
        try connection.command("BEGIN")
        do {
            let value = try body(Transaction(connection: connection))
            try connection.command("COMMIT")
            return value
        } catch {
            // A broken connection has rolled back by itself and is dropped.
            try? connection.command("ROLLBACK")
            throw error
        }
    }

    private func withConnection<Value: Sendable>(
        retryIf isRetryable: @escaping @Sendable (MariaDBError) -> Bool,
        _ body: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        let isProbe = try enter()
        defer { state.withLockedValue { $0.waiting -= 1 } }
        do {
            return try await threads.runIfActive {
                guard isProbe || !self.isKnownAway else { throw MariaDBError.away }
                guard let pooled = self.state.withLockedValue({ $0.idle.popLast() }) else { return try self.useNew(body) }
                do { return try self.use(pooled, body) } catch let error as MariaDBError where isRetryable(error) {
                    // The others of the same age are dead as well.
                    self.state.withLockedValue { $0.idle.removeAll() }
                    return try self.useNew(body)
                }
            }
        } catch is CancellationError {
            throw Task.isCancelled ? CancellationError() : MariaDBError.closed
        }
    }

    private func useNew<Value>(_ body: (Connection) throws -> Value) throws -> Value {
        let connection: Connection
        do { connection = try Connection(configuration, timeout: configuration.queryTimeout) } catch {
            state.withLockedValue { $0.retryAt = .now + Self.retryInterval }
            throw error
        }
        return try use(connection, body)
    }

    /// Uses a connection and keeps it for the next call unless it broke.
    private func use<Value>(_ connection: Connection, _ body: (Connection) throws -> Value) throws -> Value {
        do {
            let value = try body(connection)
            keep(connection)
            return value
        } catch let error as MariaDBError where error.isConnectionLost {
            // A server that hangs on one connection hangs on all.
            if error.isTimeout { state.withLockedValue { $0.retryAt = .now + Self.retryInterval } }
            throw error
        } catch {
            keep(connection)
            throw error
        }
    }

    private func keep(_ connection: Connection) {
        state.withLockedValue { state in
            state.idle.append(connection)
            state.retryAt = nil
        }
    }

    private var isKnownAway: Bool { state.withLockedValue { $0.retryAt != nil } }

    /// Refuses at once what could only wait: the server is known to be away, or too many calls wait already.
    /// - Returns: Whether this call is the one that finds out if the server is back.
    private func enter() throws -> Bool {
        try state.withLockedValue { state in
            var isProbe = false
            if let retryAt = state.retryAt {
                guard retryAt <= .now else { throw MariaDBError.away }
                state.retryAt = .now + Self.retryInterval
                isProbe = true
            }
            guard state.waiting < configuration.queueLimit else { throw MariaDBError.overloaded }
            state.waiting += 1
            return isProbe
        }
    }
}

/// The statements of one transaction; only valid inside its body.
public struct Transaction {
    let connection: Connection

    /// - Throws: `MariaDBError`.
    public func query(_ sql: SQL) throws -> [Row] { try connection.run(sql).rows }

    /// - Throws: `MariaDBError`.
    @discardableResult public func execute(_ sql: SQL) throws -> Outcome { try connection.run(sql).outcome }
}
