import CMariaDB

/// Why a statement has no result.
public enum MariaDBError: Error, Sendable, Equatable {
    /// The server refused the statement; nothing of it was done. `code` as in mysqld_error.h.
    case server(code: UInt32, sqlState: String, message: String)
    /// The connection broke during the statement: whether it was done is unknown.
    case connectionLost(message: String)
    /// The statement took longer than the configured time-out: whether it was done is unknown.
    case timedOut
    /// No connection could be had: nothing was done.
    case unavailable(message: String)
    /// Too many calls wait already, or this one has waited too long: nothing was done.
    case overloaded
    /// `MariaDB.close()` was called.
    case closed
    /// A named lock was held by somebody else for as long as the caller would wait.
    case lockNotAcquired(name: String)
    /// The row has no such column, or its value is not of the type asked for.
    case column(name: String, problem: String)
    /// The statement's placeholders and its values differ in number: a literal `?` in the text.
    case parameterCount(expected: Int, given: Int)

    /// The server's error number; nil where the error is not the server's.
    public var code: UInt32? { if case .server(let code, _, _) = self { code } else { nil } }

    /// The server's SQLSTATE, five characters; nil where the error is not the server's.
    public var sqlState: String? { if case .server(_, let state, _) = self { state } else { nil } }

    /// A unique key has this value already.
    public var isDuplicateKey: Bool { code == UInt32(ER_DUP_ENTRY) }

    /// The transaction lost a deadlock or waited too long for a lock, and was rolled back: try the whole again.
    public var isDeadlock: Bool { code == UInt32(ER_LOCK_DEADLOCK) || code == UInt32(ER_LOCK_WAIT_TIMEOUT) }

    /// A foreign key refers to a row that is missing, or is referred to.
    public var isForeignKeyViolation: Bool {
        code == UInt32(ER_NO_REFERENCED_ROW_2) || code == UInt32(ER_ROW_IS_REFERENCED_2)
    }

    /// The connection broke during the statement: whether it was done is unknown.
    public var isConnectionLost: Bool { if case .connectionLost = self { true } else { false } }

    /// The server, or the holder of a named lock, did not let go in time.
    public var isTimeout: Bool {
        switch self {
        case .timedOut, .lockNotAcquired: true
        default: false
        }
    }

    /// The server cannot be reached or did not answer in time; it may help to try again later.
    public var isUnavailable: Bool {
        switch self {
        case .connectionLost, .timedOut, .unavailable, .overloaded, .closed: true
        case .server, .lockNotAcquired, .column, .parameterCount: false
        }
    }
}
