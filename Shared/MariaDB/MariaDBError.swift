import CMariaDB

/// Why a statement was not carried out.
public struct MariaDBError: Error, Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable {
        /// The server answered with an error.
        case server
        /// There is no server, or it went away.
        case connection
        /// The server did not answer in time.
        case timeout
        /// The result is not what the caller expects.
        case column
        /// More calls wait than may.
        case overloaded
    }

    let kind: Kind
    /// The server's or the client library's number (`ER_…`, `CR_…`); 0 for errors of this module.
    public let code: UInt32
    /// Five characters; empty for errors of this module.
    public let sqlState: String
    /// For the operator's log; it may quote the statement.
    public let message: String

    public var description: String { "MariaDB \(code) (\(sqlState)): \(message)" }

    /// A unique key exists already (ER_DUP_ENTRY).
    public var isDuplicateKey: Bool { code == UInt32(ER_DUP_ENTRY) }
    /// This transaction was rolled back in favour of another, or waited too long for it; it may be tried again.
    public var isDeadlock: Bool { code == UInt32(ER_LOCK_DEADLOCK) || code == UInt32(ER_LOCK_WAIT_TIMEOUT) }
    /// The connection broke; whether the statement was carried out is not known unless `wasNotSent`.
    public var isConnectionLost: Bool { kind == .connection || kind == .timeout }
    /// The server did not answer in time.
    public var isTimeout: Bool { kind == .timeout }
    /// The server cannot be used now; later it may.
    public var isUnavailable: Bool { kind == .connection || kind == .timeout || kind == .overloaded }

    /// The connection was found broken before the statement left.
    var wasNotSent: Bool { code == UInt32(CR_SERVER_GONE_ERROR) }

    static func column(_ name: String, _ problem: String) -> MariaDBError {
        MariaDBError(kind: .column, code: 0, sqlState: "", message: "column \(name): \(problem)")
    }

    static let away = MariaDBError(kind: .connection, code: 0, sqlState: "", message: "known to be away")
    static let overloaded = MariaDBError(kind: .overloaded, code: 0, sqlState: "", message: "too many calls wait")
    static let closed = MariaDBError(kind: .connection, code: 0, sqlState: "", message: "the pool is closed")

    init(kind: Kind, code: UInt32, sqlState: String, message: String) {
        self.kind = kind
        self.code = code
        self.sqlState = sqlState
        self.message = message
    }

    /// - Parameter elapsed: How long the call took that failed; the library does not tell a time-out from a broken connection.
    init(code: UInt32, sqlState: String, message: String, elapsed: Duration, timeout: Duration) {
        // Client errors are numbered from CR_MIN_ERROR; a server that shuts down or has no connection left is as good as away.
        let away: Set<UInt32> = [
            UInt32(ER_SERVER_SHUTDOWN), UInt32(ER_CON_COUNT_ERROR), UInt32(ER_NORMAL_SHUTDOWN),
            UInt32(ER_CONNECTION_KILLED),
        ]
        let kind: Kind =
            if (2000..<3000).contains(code) || away.contains(code) {
                elapsed >= timeout * 0.9 ? .timeout : .connection
            } else {
                .server
            }
        self.init(kind: kind, code: code, sqlState: sqlState, message: message)
    }
}
