import Credentials
import Logging
import MIME
import MailModel
import SMTP

/// Hands messages to the submission server, logged in with the mailbox's own mail token: the server checks that the
/// sender address is one of the mailbox's, and records who sent.
///
/// A message is submitted while its call waits. When the server is away the call fails with 503 and nothing is kept:
/// messages that wait for the server by themselves need a durable outbox, which this service does not have.
struct Submission: Sendable {
    struct Configuration: Sendable {
        var host: String
        var port: Int
        var security: SMTPSecurity
        /// Nil for a plain connection.
        var tls: SMTPTLS?
        var timeouts: SMTPTimeouts
    }

    private let configuration: Configuration
    private let tokens: MailTokenSource
    private let logger: Logger

    init(configuration: Configuration, tokens: MailTokenSource, logger: Logger) {
        self.configuration = configuration
        self.tokens = tokens
        self.logger = logger
    }

    /// Submits a message.
    ///
    /// - Returns: Who was accepted and who was not; at least one was accepted.
    /// - Throws: `Failure`: `unavailable`, `timeout`, `upstream` when the message or every recipient is refused,
    ///   `invalid` for a sender address that is not the mailbox's.
    func send(_ message: [UInt8], envelope: Envelope, as account: String) async throws -> Delivery {
        let connection = try await connect(as: account)
        do {
            let delivery = try await connection.send(envelope, message: message)
            await connection.quit()
            return delivery
        } catch {
            logger.notice(
                "A message was not submitted", metadata: ["account": "\(account)", "error": "\(error.summary)"])
            await connection.quit()
            throw envelope.sender != account && error.isSenderRefused ? Self.senderRefused : Failure(error)
        }
    }

    fileprivate static let senderRefused = Failure.invalid(
        "from", code: "sender_refused", "this mailbox may not send from that address")

    /// One more try with a new token when the first is refused: it may have been revoked a moment ago. Another when
    /// credentials cannot be checked: Postfix says so to the first login after a restart of Dovecot.
    private func connect(as account: String) async throws -> SMTPConnection {
        do { return try await login(account) } catch let error as SMTPError {
            switch error {
            case .authenticationFailed: await tokens.invalidate(account)
            case .authenticationUnavailable: break
            default: throw Failure(error)
            }
        }
        do { return try await login(account) } catch let error as SMTPError { throw Failure(error) }
    }

    private func login(_ account: String) async throws -> SMTPConnection {
        let token = try await tokens.token(for: account)
        let connection = try await SMTPConnection.connect(
            host: configuration.host, port: configuration.port, security: configuration.security,
            tls: configuration.tls, timeouts: configuration.timeouts)
        do {
            try await connection.authenticate(.xoauth2(user: account, token: token))
            return connection
        } catch {
            await connection.quit()
            throw error
        }
    }
}

extension SMTPError {
    /// Whether the recipients were refused for the sender's sake: Postfix says so only when it hears of a recipient
    /// (`smtpd_delay_reject`), with 5.7.1 for each (RFC 3463 §3.8).
    fileprivate var isSenderRefused: Bool {
        guard case .refused(_, _, let recipients) = self else { return false }
        return !recipients.isEmpty && recipients.allSatisfy { $0.reply.enhancedStatus == EnhancedStatusCode(5, 7, 1) }
    }

    /// For the log: without what the server wrote, which may quote addresses.
    fileprivate var summary: String {
        switch self {
        case .refused(let stage, let reply, let recipients):
            "refused at \(stage.rawValue) with \(reply.code), \(recipients.count) recipients"
        case .timeout(let stage): "timeout at \(stage.rawValue)"
        case .closed(let stage): "closed at \(stage.rawValue)"
        default: "\(self)".split(separator: ":").first.map(String.init) ?? ""
        }
    }
}

extension Failure {
    /// What an SMTP error means to the caller.
    init(_ error: SMTPError) {
        switch error {
        case .unreachable, .authenticationUnavailable, .busy: self = .unavailable("Postfix")
        case .timeout(.message), .closed(.message):
            self = Failure(
                .timeout, code: "delivery_unknown",
                "The mail server did not say whether it took the message; look into the Sent folder of the recipient.")
        case .timeout: self = .timeout("Postfix")
        case .closed: self = .unavailable("Postfix")
        case .tooLarge(let limit):
            self = Failure(
                .tooLarge, code: "message_too_large", "The mail server takes messages of up to \(limit) bytes.")
        case .refused(.mail, let reply, _) where !reply.isTransient: self = Submission.senderRefused
        case .refused(_, let reply, let recipients): self = Self.refused(reply, recipients)
        case .utf8Unavailable:
            self = .invalid("to", code: "utf8_unavailable", "the mail server takes no international addresses")
        case .invalidArgument: self = .invalid("to", code: "invalid_address", "an address cannot be written in SMTP")
        case .authenticationFailed:
            self = Failure(.upstream, code: "mail_login_refused", "The mail server refused the login to this mailbox.")
        case .tls, .mechanismUnavailable, .startTLSUnavailable, .protocolViolation:
            self = Failure(.upstream, code: "mail_server_refused", "The mail server could not be used.")
        }
    }

    private static func refused(_ reply: SMTPReply, _ recipients: [Delivery.Rejection]) -> Failure {
        if recipients.isEmpty {
            guard !reply.isTransient else { return .unavailable("Postfix", retryAfter: .seconds(10)) }
            return Failure(.upstream, code: "message_refused", "The mail server refused the message (\(reply.code)).")
        }
        return Failure(
            .upstream, code: "recipients_refused", "The mail server refused every recipient.",
            fields: recipients.map { Field($0.recipient, code: "\($0.reply.statusText)", $0.reply.text) })
    }
}

extension SMTPReply {
    /// The enhanced status where there is one, else the code: `5.1.1`, `550`.
    var statusText: String { enhancedStatus?.description ?? String(code) }
}
