/// What can go wrong between us and an IMAP server.
public enum IMAPError: Error, Sendable, Equatable {
    /// The server answered `NO`: it understood and refuses (RFC 9051 §7.1.2).
    case no(ResponseCode?, text: String)
    /// The server answered `BAD`: it did not understand (RFC 9051 §7.1.3).
    case bad(ResponseCode?, text: String)
    /// The server said `BYE` and is gone (RFC 9051 §7.1.5).
    case bye(ResponseCode?, text: String)
    /// The SASL exchange was refused; `challenge` is the decoded error challenge of XOAUTH2 or OAUTHBEARER, if any.
    case authenticationFailed(ResponseCode?, text: String, challenge: String?)
    /// No connection could be made: refused, unknown host, TLS failure.
    case unreachable(String)
    /// The connection was closed, by us or without a word by the server.
    case closed
    /// Nothing was heard within the time-out; the connection has been closed.
    case timedOut
    /// The server sent what no server may send, or exceeded a limit of `IMAPLimits`; the connection has been closed.
    case protocolViolation(String)
    /// An argument cannot be put into a command, for example a mailbox name with a NUL.
    case invalidArgument(String)
    /// The server lacks a capability that the call needs.
    case unsupported(IMAPCapability)
    /// Too many commands are waiting on this connection already.
    case tooManyCommands

    /// Whether the connection can be used no more.
    public var endsConnection: Bool {
        switch self {
        case .bye, .unreachable, .closed, .timedOut, .protocolViolation: true
        case .no, .bad, .authenticationFailed, .invalidArgument, .unsupported, .tooManyCommands: false
        }
    }

    /// The response code the server gave with its refusal.
    public var code: ResponseCode? {
        switch self {
        case .no(let code, _), .bad(let code, _), .bye(let code, _), .authenticationFailed(let code, _, _): code
        case .unreachable, .closed, .timedOut, .protocolViolation, .invalidArgument, .unsupported, .tooManyCommands:
            nil
        }
    }
}
