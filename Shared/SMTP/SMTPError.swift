/// What can go wrong between a submission client and its server.
public enum SMTPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the connection was doing.
    public enum Stage: String, Sendable {
        case connect, greeting, ehlo, startTLS, auth, mail, rcpt, data, message, reset, quit
    }

    /// No connection could be made.
    case unreachable(String)
    /// The server's certificate could not be verified, or the TLS handshake failed.
    case tls(String)
    /// No reply within the time allowed; the connection is closed. At stage `.message` the mail may have been accepted.
    case timeout(Stage)
    /// The connection ended. At stage `.message` the mail may have been accepted.
    case closed(Stage)
    /// The credentials were refused (535 and the like); `challenge` is the JSON of XOAUTH2, if any.
    case authenticationFailed(SMTPReply, challenge: String?)
    /// The server cannot check credentials just now (454 4.7.0, RFC 4954 §6): try again on a new connection.
    case authenticationUnavailable(SMTPReply)
    /// The server offers no such mechanism.
    case mechanismUnavailable(String)
    /// STARTTLS was asked for and the server does not offer it.
    case startTLSUnavailable
    /// The server refused: the sender, all recipients, or the message.
    case refused(Stage, SMTPReply, recipients: [Delivery.Rejection])
    /// The message is larger than the server's SIZE (RFC 1870), in bytes.
    case tooLarge(limit: Int)
    /// The message could not be read on; the server has not got it.
    case messageUnavailable(String)
    /// An address is not ASCII and the server has no SMTPUTF8 (RFC 6531).
    case utf8Unavailable
    /// An address, user name or credential that cannot stand in a command (CR, LF, NUL, spaces, brackets).
    case invalidArgument(String)
    /// The server broke the protocol.
    case protocolViolation(String)
    /// Another exchange is running on this connection.
    case busy

    /// Whether the same attempt may succeed later, on a new connection. After `.timeout(.message)` and
    /// `.closed(.message)` it may also deliver the mail twice.
    public var isTransient: Bool {
        switch self {
        case .unreachable, .timeout, .closed, .authenticationUnavailable, .busy, .messageUnavailable: true
        case .refused(_, let reply, _): reply.isTransient
        case .tls, .authenticationFailed, .mechanismUnavailable, .startTLSUnavailable, .tooLarge, .utf8Unavailable,
            .invalidArgument, .protocolViolation:
            false
        }
    }

    public var description: String {
        switch self {
        case .unreachable(let reason): "the server cannot be reached: \(reason)"
        case .tls(let reason): "no TLS with the server: \(reason)"
        case .timeout(let stage): "no reply in time at \(stage.rawValue)"
        case .closed(let stage): "the connection ended at \(stage.rawValue)"
        case .authenticationFailed(let reply, _): "the credentials were refused: \(reply)"
        case .authenticationUnavailable(let reply): "credentials cannot be checked now: \(reply)"
        case .mechanismUnavailable(let name): "the server does not offer AUTH \(name)"
        case .startTLSUnavailable: "the server does not offer STARTTLS"
        case .refused(let stage, let reply, _): "refused at \(stage.rawValue): \(reply)"
        case .tooLarge(let limit): "the message is larger than the server's \(limit) bytes"
        case .messageUnavailable(let reason): "the message could not be read: \(reason)"
        case .utf8Unavailable: "the server does not take international addresses"
        case .invalidArgument(let what): "invalid for a command: \(what)"
        case .protocolViolation(let what): "protocol violation: \(what)"
        case .busy: "another exchange is running on this connection"
        }
    }
}
