import CMariaDB
import Glibc

/// Why no session could be had.
struct ConnectFailure: Error {
    let code: UInt32
    let message: String

    /// Nobody answered; else the server itself said no.
    var isServerAway: Bool { code >= UInt32(CR_MIN_ERROR) || code == UInt32(ER_SERVER_SHUTDOWN) }
}

/// One session with the server.
///
/// `@unchecked Sendable`: it moves between the pool's threads through its locked list of idle connections, and only
/// the one thread that took it from there uses it, as libmariadb demands.
final class Connection: @unchecked Sendable {
    private let handle: UnsafeMutablePointer<MYSQL>
    private let timeout: Duration
    private var statements = StatementCache()
    /// The session cannot be used any more.
    private(set) var isBroken = false
    /// It broke because the server did not answer in time.
    private(set) var hungServer = false

    init(_ configuration: MariaDB.Configuration) throws(ConnectFailure) {
        guard let handle = mysql_init(nil) else {
            throw ConnectFailure(code: UInt32(CR_OUT_OF_MEMORY), message: "out of memory")
        }
        self.handle = handle
        timeout = configuration.queryTimeout
        Self.setOptions(handle, configuration)
        let session = mysql_real_connect(
            handle, configuration.socket == nil ? configuration.host : nil, configuration.user,
            configuration.password, configuration.database, UInt32(clamping: configuration.port),
            configuration.socket, UInt(CLIENT_FOUND_ROWS))
        guard session != nil, Self.prepareSession(handle, configuration) else {
            throw ConnectFailure(code: mysql_errno(handle), message: String(cString: mysql_error(handle)))
        }
    }

    deinit {
        // First the session, so that closing a statement frees memory without talking to the server.
        mysql_close(handle)
        statements.removeAll()
    }

    /// False once the server has closed its end or sent something unasked (its farewell); costs no round trip.
    var isOpen: Bool {
        var byte: UInt8 = 0
        let count = recv(mysql_get_socket(handle), &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
    }

    func query(_ sql: SQL) throws -> [Row] { try run(sql).rows }

    func execute(_ sql: SQL) throws -> Outcome { try run(sql).outcome }

    func ping() throws {
        let start = ContinuousClock.now
        guard mysql_ping(handle) == 0 else { throw failure(since: start) }
    }

    func transaction<T>(_ body: (Transaction) throws -> T) throws -> T {
        try command("START TRANSACTION")
        do {
            let value = try body(Transaction(connection: self))
            try command("COMMIT")
            return value
        } catch {
            if !isBroken { rollBack() }
            throw error
        }
    }

    /// Holds the named lock (GET_LOCK) around `body`; closing the session would release it as well.
    func locked<T>(_ name: String, wait: Duration, _ body: () throws -> T) throws -> T {
        let answer = try query("SELECT GET_LOCK(\(name), \(wait.wholeSeconds)) AS acquired")
        guard try answer.first?.optionalInt64("acquired") == 1 else { throw MariaDBError.lockNotAcquired(name: name) }
        defer { _ = try? query("SELECT RELEASE_LOCK(\(name))") }
        return try body()
    }

    private func rollBack() {
        // A session that cannot roll back is dropped; the server rolls back when it ends.
        do { try command("ROLLBACK") } catch { isBroken = true }
    }

    private func run(_ sql: SQL) throws -> (rows: [Row], outcome: Outcome) {
        let start = ContinuousClock.now
        do {
            return try statements.statement(for: sql.text, on: handle).run(sql.parameters)
        } catch let error as StatementFailure where error.code == UInt32(CR_NEW_STMT_METADATA) {
            // The table was altered since the statement was prepared; only a SELECT fails so.
            statements.remove(sql.text)
        } catch let error as StatementFailure {
            throw failure(error, since: start)
        }
        do {
            return try statements.statement(for: sql.text, on: handle).run(sql.parameters)
        } catch let error as StatementFailure {
            throw failure(error, since: start)
        }
    }

    private func command(_ text: StaticString) throws {
        let start = ContinuousClock.now
        let status = text.withUTF8Buffer { text in
            text.withMemoryRebound(to: CChar.self) { mysql_real_query(handle, $0.baseAddress, UInt($0.count)) }
        }
        guard status == 0 else { throw failure(since: start) }
    }
}

extension Connection {
    private func failure(since start: ContinuousClock.Instant) -> MariaDBError {
        failure(
            StatementFailure(
                code: mysql_errno(handle), sqlState: String(cString: mysql_sqlstate(handle)),
                message: String(cString: mysql_error(handle))),
            since: start)
    }

    /// Notes whether the session is still good.
    private func failure(_ error: StatementFailure, since start: ContinuousClock.Instant) -> MariaDBError {
        let code = Int32(error.code)
        if code == ER_STATEMENT_TIMEOUT { return .timedOut }
        let endsSession = code >= CR_MIN_ERROR || code == ER_SERVER_SHUTDOWN || code == ER_CONNECTION_KILLED
        guard endsSession else { return .server(code: error.code, sqlState: error.sqlState, message: error.message) }
        isBroken = true
        // libmariadb tells a time-out and a closed connection by the same number.
        guard ContinuousClock.now - start >= timeout else { return .connectionLost(message: error.message) }
        hungServer = true
        return .timedOut
    }

    private static func setOptions(_ handle: UnsafeMutablePointer<MYSQL>, _ configuration: MariaDB.Configuration) {
        func set(_ option: mysql_option, _ value: UInt32) {
            _ = withUnsafePointer(to: value) { mysql_options(handle, option, $0) }
        }
        set(MYSQL_OPT_CONNECT_TIMEOUT, UInt32(configuration.connectTimeout.wholeSeconds))
        set(MYSQL_OPT_READ_TIMEOUT, UInt32(configuration.queryTimeout.wholeSeconds))
        set(MYSQL_OPT_WRITE_TIMEOUT, UInt32(configuration.queryTimeout.wholeSeconds))
        set(MYSQL_OPT_LOCAL_INFILE, 0)
        // "localhost" would mean the default socket.
        if configuration.socket == nil { set(MYSQL_OPT_PROTOCOL, MYSQL_PROTOCOL_TCP.rawValue) }
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        if configuration.usesTLS, configuration.socket == nil { setTLS(handle, caFile: configuration.tlsCAFile) }
    }

    /// Without TLS, or with a certificate that is not verified, there is then no connection.
    private static func setTLS(_ handle: UnsafeMutablePointer<MYSQL>, caFile: String?) {
        for option in [MYSQL_OPT_SSL_ENFORCE, MYSQL_OPT_SSL_VERIFY_SERVER_CERT] {
            _ = withUnsafePointer(to: my_bool(1)) { mysql_options(handle, option, $0) }
        }
        mysql_options(handle, MYSQL_OPT_SSL_CA, caFile ?? "/etc/ssl/certs/ca-certificates.crt")
    }

    private static func prepareSession(
        _ handle: UnsafeMutablePointer<MYSQL>, _ configuration: MariaDB.Configuration
    ) -> Bool {
        let seconds = configuration.queryTimeout.wholeSeconds
        let statements = [
            // The server gives up before the client does, so that a slow statement does not cost the connection.
            """
            SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
            ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', max_statement_time = \(Double(seconds) * 0.8), \
            innodb_lock_wait_timeout = \(max(1, seconds / 2))
            """,
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        ]
        return statements.allSatisfy { mysql_real_query(handle, $0, UInt($0.utf8.count)) == 0 }
    }
}

extension Duration {
    /// Rounded up; at least 1.
    var wholeSeconds: Int { max(1, Int(components.seconds) + (components.attoseconds > 0 ? 1 : 0)) }
}
