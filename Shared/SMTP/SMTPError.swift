/// What can go wrong between a submission client and its server.
public enum SMTPError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the connection was doing.
    public enum Stage: String, Sendable { case connect, greeting, ehlo, startTLS, auth, mail, rcpt, data, message, reset, quit }

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
    /// An address is not ASCII and the server has no SMTPUTF8 (RFC 6531).
    case utf8Unavailable
    /// An address, user name or credential that cannot stand in a command (CR, LF, NUL, spaces, brackets).
    case invalidArgument(String)
    /// The server broke the protocol.
    case protocolViolation(String)
    /// Another exchange is running on this connection.
    case busy

    /// Whether the same attempt may succeed later, on a new connection.
    public var isTransient: Bool { false }

    public var description: String { "" }
}
