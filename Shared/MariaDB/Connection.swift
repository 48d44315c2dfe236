import CMariaDB

/// One connection with its prepared statements. Not Sendable: it belongs to one thread of the pool at a time.
final class Connection {
    /// How many prepared statements are kept; beyond it they are all prepared anew.
    private static let statementLimit = 256

    private let handle: UnsafeMutablePointer<MYSQL>
    private let timeout: Duration
    private var statements: [String: Statement] = [:]

    /// - Parameter timeout: How long one statement may take; whole seconds, at least one.
    /// - Throws: `MariaDBError`.
    init(_ configuration: MariaDB.Configuration, timeout: Duration) throws(MariaDBError) {
        guard let handle = mysql_init(nil) else {
            throw MariaDBError(kind: .connection, code: UInt32(CR_OUT_OF_MEMORY), sqlState: "HY001", message: "out of memory")
        }
        func set(_ option: mysql_option, seconds: Duration) {
            var value = UInt32(max(1, seconds.components.seconds))
            mysql_options(handle, option, &value)
        }
        set(MYSQL_OPT_CONNECT_TIMEOUT, seconds: configuration.connectTimeout)
        set(MYSQL_OPT_READ_TIMEOUT, seconds: timeout)
        set(MYSQL_OPT_WRITE_TIMEOUT, seconds: timeout)
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        mysql_options(
            handle, MYSQL_INIT_COMMAND,
            """
            SET SESSION sql_mode = 'TRADITIONAL,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00',
            transaction_isolation = 'READ-COMMITTED', innodb_lock_wait_timeout = 2
            """)
        let start = ContinuousClock.now
        let connected = mysql_real_connect(
            handle, configuration.socket == nil ? configuration.host : nil, configuration.user,
            configuration.password, configuration.database, UInt32(configuration.port), configuration.socket,
            UInt(CLIENT_FOUND_ROWS))
        guard connected != nil else {
            defer { mysql_close(handle) }
            throw MariaDBError(handle, elapsed: start.duration(to: .now), timeout: configuration.connectTimeout)
        }
        self.handle = handle
        self.timeout = timeout
    }

    deinit {
        statements.removeAll()
        mysql_close(handle)
    }

    /// Runs a statement, prepared on its first use.
    func run(_ sql: SQL) throws(MariaDBError) -> (rows: [Row], outcome: Outcome) {
        let start = ContinuousClock.now
        do { return try statement(sql.text).run(sql.parameters) } catch {
            throw MariaDBError(
                code: error.code, sqlState: error.sqlState, message: error.message,
                elapsed: start.duration(to: .now), timeout: timeout)
        }
    }

    /// BEGIN, COMMIT and ROLLBACK.
    func command(_ text: String) throws(MariaDBError) {
        let start = ContinuousClock.now
        guard mysql_real_query(handle, text, UInt(text.utf8.count)) == 0 else {
            throw MariaDBError(handle, elapsed: start.duration(to: .now), timeout: timeout)
        }
    }

    /// One round trip.
    func ping() throws(MariaDBError) {
        let start = ContinuousClock.now
        guard mysql_ping(handle) == 0 else {
            throw MariaDBError(handle, elapsed: start.duration(to: .now), timeout: timeout)
        }
    }

    private func statement(_ text: String) throws(MariaDBError) -> Statement {
        if let known = statements[text] { return known }
        if statements.count >= Self.statementLimit { statements.removeAll() }
        let statement = try Statement(handle, text)
        statements[text] = statement
        return statement
    }
}

extension MariaDBError {
    init(_ handle: UnsafeMutablePointer<MYSQL>, elapsed: Duration, timeout: Duration) {
        self.init(
            code: mysql_errno(handle), sqlState: String(cString: mysql_sqlstate(handle)),
            message: String(cString: mysql_error(handle)), elapsed: elapsed, timeout: timeout)
    }
}
