import Credentials
import Logging
import MIME
import MailModel
import SMTP

/// Hands messages to the submission server, logged in with the mailbox's own mail token: the server checks that the
/// sender address is one of the mailbox's, and records who sent.
struct Submission: Sendable {
    struct Configuration: Sendable {
        var host: String
        var port: Int
        var security: SMTPSecurity
        /// Nil for a plain connection.
        var tls: SMTPTLS?
        var timeouts: SMTPTimeouts
    }

    /// What became of one attempt.
    enum Outcome: Sendable {
        /// At least one recipient was accepted.
        case delivered(Delivery)
        /// Refused for good, by whatever `Failure` says.
        case refused(Failure, [Delivery.Rejection])
        /// To be tried again.
        case later(Later)
    }

    struct Later: Sendable {
        let failure: Failure
        /// Recipients' own refusals, among them such as are for good.
        var rejections: [Delivery.Rejection] = []
        /// The server could not be connected to, or did not greet.
        var isServerAway = false
        /// Refused for a reason that may last: a limit, a full mailbox. Everything else is the platform's own trouble and,
        /// as a rule, over within a minute.
        var isRefusal = false
        /// The message was handed over whole, and the answer did not come: the server may have it.
        var isDoubtful = false
    }

    private let configuration: Configuration
    private let tokens: MailTokenSource
    private let sessions: SubmissionSessions
    private let logger: Logger

    init(configuration: Configuration, tokens: MailTokenSource, sessions: SubmissionSessions, logger: Logger) {
        self.configuration = configuration
        self.tokens = tokens
        self.sessions = sessions
        self.logger = logger
    }

    /// Tells a warm connection, if there is one, from whom and for whom a message is that may have to be sent in a moment.
    func begin(_ message: SubmissionMessage, envelope: Envelope, as account: String) -> EarlySubmission? {
        guard let bytes = message.bytes, let warm = sessions.take(account) else { return nil }
        let begun = Task { () async -> Result<BegunMessage, SMTPError> in
            do throws(SMTPError) {
                return .success(
                    try await warm.connection.begin(envelope, size: message.size, has8Bit: message.has8Bit))
            } catch { return .failure(error) }
        }
        return EarlySubmission(session: warm, message: bytes, begun: begun)
    }

    /// Makes one attempt, or goes on with the one that was begun.
    ///
    /// A warm connection that turns out to be lost before the message was handed over whole is replaced at once.
    /// - Throws: `CancellationError`.
    func send(
        _ message: SubmissionMessage, envelope: Envelope, as account: String, early: EarlySubmission? = nil
    ) async throws -> Outcome {
        do throws(SMTPError) {
            if let early {
                return .delivered(try await early.finish(sessions))
            } else if let warm = sessions.take(account) {
                return .delivered(try await warm.transfer(message, envelope, sessions))
            }
        } catch {
            guard error.isLostBeforeMessage else { return outcome(error, envelope, account) }
        }
        do {
            let session = try await open(account)
            do { return .delivered(try await session.transfer(message, envelope, sessions)) } catch {
                return outcome(error, envelope, account)
            }
        } catch let error as SMTPError {
            return outcome(error, envelope, account)
        } catch let failure as Failure {
            return .later(failure, isPermanent: failure.kind == .notFound || failure.kind == .conflict)
        }
    }

    /// Whether the server can be connected to.
    func isServerBack() async -> Bool {
        var timeouts = configuration.timeouts
        timeouts.connect = .seconds(1)
        timeouts.command = .seconds(2)
        let connection = try? await SMTPConnection.connect(
            host: configuration.host, port: configuration.port, security: configuration.security,
            tls: configuration.tls, timeouts: timeouts)
        await connection?.quit()
        return connection != nil
    }

    private func outcome(_ error: SMTPError, _ envelope: Envelope, _ account: String) -> Outcome {
        logger.notice(
            "A message was not submitted", metadata: ["account": "\(account)", "error": "\(error.summary)"])
        if envelope.sender != account, error.isSenderRefused { return .refused(Self.senderRefused, []) }
        return Outcome(error)
    }

    static let senderRefused = Failure.invalid(
        "from", code: "sender_refused", "this mailbox may not send from that address")

    /// One more try with a new token when the first is refused: it may have been revoked a moment ago. Another when
    /// credentials cannot be checked: Postfix says so to the first login after a restart of Dovecot.
    private func open(_ account: String) async throws -> SubmissionSession {
        do { return try await login(account) } catch let error as SMTPError {
            switch error {
            case .authenticationFailed: await tokens.invalidate(account)
            case .authenticationUnavailable: break
            default: throw error
            }
        }
        return try await login(account)
    }

    private func login(_ account: String) async throws -> SubmissionSession {
        let startedAt = Timestamp.now()
        let token = try await tokens.token(for: account)
        let connection = try await SMTPConnection.connect(
            host: configuration.host, port: configuration.port, security: configuration.security,
            tls: configuration.tls, timeouts: configuration.timeouts)
        do {
            try await connection.authenticate(.xoauth2(user: account, token: token))
            return SubmissionSession(account: account, connection: connection, startedAt: startedAt)
        } catch {
            await connection.quit()
            throw error
        }
    }
}

/// A message that is handed over before it is known whether it will be sent: the server hears of sender and recipients
/// and waits, while the message is put into the outbox.
struct EarlySubmission: Sendable {
    fileprivate let session: SubmissionSession
    fileprivate let message: [UInt8]
    fileprivate let begun: Task<Result<BegunMessage, SMTPError>, Never>

    /// It is not sent.
    func abandon() {
        begun.cancel()
        session.connection.close()
    }

    fileprivate func finish(_ sessions: SubmissionSessions) async throws(SMTPError) -> Delivery {
        try await session.use(sessions) { connection throws(SMTPError) in
            let begun = await withTaskCancellationHandler {
                await self.begun.value
            } onCancel: {
                self.begun.cancel()
            }
            // One that ended while it waited has not got the message.
            guard connection.isOpen else { throw .closed(.data) }
            return try await connection.finish(try begun.get(), message: message)
        }
    }
}

extension SubmissionSession {
    fileprivate func transfer(
        _ message: SubmissionMessage, _ envelope: Envelope, _ sessions: SubmissionSessions
    ) async throws(SMTPError) -> Delivery {
        try await use(sessions) { connection throws(SMTPError) in
            if let bytes = message.bytes { return try await connection.send(envelope, message: bytes) }
            let pieces = message.pieces()
            return try await connection.send(
                envelope, size: message.size, has8Bit: message.has8Bit, piece: { try await pieces() })
        }
    }

    /// Sends a message, and keeps the connection for the next, unless that failed.
    fileprivate func use(
        _ sessions: SubmissionSessions, _ send: (SMTPConnection) async throws(SMTPError) -> Delivery
    ) async throws(SMTPError) -> Delivery {
        do {
            let delivery = try await send(connection)
            // Servers slow down a session that makes errors.
            if delivery.rejected.isEmpty { sessions.giveBack(self) } else { connection.close() }
            return delivery
        } catch {
            connection.close()
            throw error
        }
    }
}

/// A message to be submitted: in memory, or read piece by piece.
struct SubmissionMessage: Sendable {
    /// The whole of it, where it is in memory.
    let bytes: [UInt8]?
    let size: Int
    let has8Bit: Bool
    /// A reader from the beginning: the next piece, nil after the last.
    let pieces: @Sendable () -> (@Sendable () async throws -> [UInt8]?)
}

extension Submission.Outcome {
    /// What becomes of an attempt that ended in an error.
    init(_ error: SMTPError) {
        let failure = Failure(error)
        switch error {
        case .timeout(.message), .closed(.message): self = .later(.init(failure: failure, isDoubtful: true))
        // One session that ends, or takes long over its recipients, says nothing of the server.
        case .timeout(let stage), .closed(let stage):
            self = .later(.init(failure: failure, isServerAway: stage.isBeforeLogin))
        case .unreachable, .tls: self = .later(.init(failure: failure, isServerAway: true))
        // A login is refused although the mailbox is active: who checks it lost the database for a moment.
        case .busy, .authenticationUnavailable, .authenticationFailed, .messageUnavailable, .protocolViolation:
            self = .later(.init(failure: failure))
        case .refused(let stage, let reply, let recipients):
            // Of a message refused whole it does not matter what was said of single recipients before.
            let transient = (stage == .rcpt ? recipients.map(\.reply) : [reply]).filter(\.isTransient)
            // What Postfix holds against somebody it says of a recipient, or at DATA of their number. At any other time it
            // is Rspamd that is missing.
            let isRefusal = [.rcpt, .data].contains(stage) && !transient.allSatisfy(\.isSystemStatus)
            self =
                transient.isEmpty
                ? .refused(failure, recipients)
                : .later(.init(failure: failure, rejections: recipients, isRefusal: isRefusal))
        case .mechanismUnavailable, .startTLSUnavailable, .tooLarge, .utf8Unavailable, .invalidArgument:
            self = .refused(failure, [])
        }
    }

    fileprivate static func later(_ failure: Failure, isPermanent: Bool) -> Self {
        isPermanent ? .refused(failure, []) : .later(Submission.Later(failure: failure))
    }
}

extension SMTPError.Stage {
    fileprivate var isBeforeLogin: Bool {
        switch self {
        case .connect, .greeting, .ehlo, .startTLS: true
        case .auth, .mail, .rcpt, .data, .message, .reset, .quit: false
        }
    }
}

extension SMTPReply {
    /// Whether the server speaks of its own trouble: a closing session (RFC 5321 §3.8), a system status (RFC 3463 §3.4).
    fileprivate var isSystemStatus: Bool { code == 421 || enhancedStatus?.subject == 3 }
}

extension SMTPError {
    /// Whether the recipients were refused for the sender's sake: Postfix says so only when it hears of a recipient
    /// (`smtpd_delay_reject`), with 5.7.1 for each (RFC 3463 §3.8).
    fileprivate var isSenderRefused: Bool {
        guard case .refused(_, _, let recipients) = self else { return false }
        return !recipients.isEmpty && recipients.allSatisfy { $0.reply.enhancedStatus == EnhancedStatusCode(5, 7, 1) }
    }

    /// Whether the connection was lost, or the server hung up (421), before the message was whole.
    fileprivate var isLostBeforeMessage: Bool {
        switch self {
        case .closed(let stage): stage != .message
        case .refused(let stage, let reply, let recipients):
            stage != .message && (reply.code == 421 || recipients.contains { $0.reply.code == 421 })
        case .busy: true
        default: false
        }
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
        case .messageUnavailable: self = .unavailable("MariaDB")
        case .timeout(.message), .closed(.message):
            self = Failure(
                .timeout, code: "delivery_unknown", "The mail server did not say whether it took the message.")
        case .timeout: self = .timeout("Postfix")
        case .closed: self = .unavailable("Postfix")
        case .tooLarge(let limit):
            self = Failure(
                .tooLarge, code: "message_too_large", "The mail server takes messages of up to \(limit) bytes.")
        case .refused(.mail, let reply, _) where !reply.isTransient: self = Submission.senderRefused
        case .refused(let stage, let reply, let recipients):
            self = Self.refused(reply, stage == .rcpt ? recipients : [])
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
