import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// How a connection is protected.
public enum SMTPSecurity: String, Sendable {
    case plain
    /// TLS from the first byte, port 465 (RFC 8314 §3.3).
    case implicitTLS
    /// STARTTLS, required: port 587 (RFC 3207).
    case startTLS
}

/// Credentials (RFC 4954).
public enum SMTPCredentials: Sendable {
    /// `AUTH PLAIN` (RFC 4616).
    case plain(user: String, password: String)
    /// `AUTH XOAUTH2`: an OAuth 2.0 bearer token.
    case xoauth2(user: String, token: String)
}

/// Whom to trust; holds the loaded certificates, so make it once and share it.
public struct SMTPTLS: Sendable {
    let context: NIOSSLContext

    /// - Parameter certificateAuthorityFile: A PEM file of the only roots to trust; nil for the system's.
    /// - Throws: `SMTPError.tls` if the file cannot be read.
    public init(certificateAuthorityFile: String? = nil) throws(SMTPError) { throw .tls("") }
}

/// The longest waits (RFC 5321 §4.5.3.2 gives minutes for relays; a submission client has a person waiting).
public struct SMTPTimeouts: Sendable {
    public var connect: Duration = .seconds(5)
    /// For the reply to any one command, or to a group sent together.
    public var command: Duration = .seconds(30)
    /// For the message, from its first byte to the final reply.
    public var message: Duration = .seconds(120)

    public init() {}
}

/// One connection to a submission server (RFC 6409): EHLO, AUTH, any number of messages, QUIT.
///
/// One exchange at a time; a second one meanwhile throws `SMTPError.busy`. After a time-out, a cancellation, a
/// protocol violation or a lost connection, it is closed for good. A refused message leaves it usable.
public final class SMTPConnection: Sendable {
    /// Connects, secures, greets.
    /// - Parameters:
    ///   - tls: Needed unless `security` is `.plain`.
    ///   - clientName: What EHLO says; a domain or an address literal.
    /// - Throws: `SMTPError`.
    public static func connect(
        host: String, port: Int, security: SMTPSecurity, tls: SMTPTLS? = nil, clientName: String = "localhost",
        timeouts: SMTPTimeouts = SMTPTimeouts()
    ) async throws(SMTPError) -> SMTPConnection { throw .busy }

    /// What the server offers, from the last EHLO.
    public var capabilities: SMTPCapabilities { SMTPCapabilities() }
    /// Whether a further message can be tried on it.
    public var isOpen: Bool { false }

    /// - Throws: `SMTPError.authenticationFailed`, `.authenticationUnavailable` (454: try again), …
    public func authenticate(_ credentials: SMTPCredentials) async throws(SMTPError) {}

    /// Sends one message: MAIL, RCPT and DATA in one flush where the server has PIPELINING (RFC 2920).
    /// - Parameter message: With any line ends: bare CR and LF become CRLF, dots are stuffed (RFC 5321 §4.5.2).
    /// - Returns: when at least one recipient was accepted and the server has taken the message.
    /// - Throws: `SMTPError.refused` with every recipient's reply, …
    public func send(_ envelope: Envelope, message: [UInt8]) async throws(SMTPError) -> Delivery { throw .busy }

    /// RSET: forgets a transaction, and tells whether a kept connection still lives.
    public func reset() async throws(SMTPError) {}

    /// QUIT and close; never fails, and takes at most a second.
    public func quit() async {}
}

/// What EHLO told (RFC 5321 §4.1.1.1).
public struct SMTPCapabilities: Sendable, Hashable {}
