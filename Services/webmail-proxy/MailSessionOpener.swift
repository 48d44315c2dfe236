import Credentials
import IMAP
import Logging
import MailModel
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Begins IMAP sessions: connects, and logs in with a mail token of the mailbox, as any mail client would.
///
/// A server found silent is taken for away for a moment, in which calls fail at once instead of waiting in turn. One that
/// lets nobody in, because what it asks is away, still answers whom it knows: then only logins fail at once.
final class MailSessionOpener: Sendable {
    /// For how long a silent server is not asked again.
    private static let pause = Duration.seconds(1)

    private let configuration: IMAPConfiguration
    private let tokens: MailTokenSource
    private let cache: FolderCache
    private let logger: Logger
    private let hearing = NIOLockedValueBox(Hearing())

    private struct Hearing {
        var isAway = false
        var lastAnswer: ContinuousClock.Instant?
        var lastLogin: ContinuousClock.Instant?
        var silentUntil: ContinuousClock.Instant?
        /// After a login that was not answered, until one is: when the next may try.
        var nextLogin: ContinuousClock.Instant?
    }

    /// - Parameter cache: What the sessions remember of the folders they have shown.
    init(configuration: IMAPConfiguration, tokens: MailTokenSource, cache: FolderCache, logger: Logger) {
        self.cache = cache
        self.configuration = configuration
        self.tokens = tokens
        self.logger = logger
    }

    var isServerAway: Bool { hearing.withLockedValue { $0.isAway } }

    /// - Throws: `Failure` `unavailable` while the server is taken for away.
    func checkServer() throws(Failure) {
        if let until = hearing.withLockedValue({ $0.silentUntil }), until > .now { throw .unavailable("Dovecot") }
    }

    /// A session was answered.
    func noteAnswer() {
        hearing.withLockedValue { hearing in
            hearing.lastAnswer = .now
            hearing.isAway = false
        }
    }

    /// The server did not answer in time.
    ///
    /// - Parameter start: When it was asked; it is not taken for away when it has answered any session since.
    func noteSilence(since start: ContinuousClock.Instant) {
        hearing.withLockedValue { hearing in
            if let answer = hearing.lastAnswer, answer > start { return }
            hearing.silentUntil = .now + Self.pause
            hearing.isAway = true
        }
    }

    /// Lets one login a second try while none is answered.
    private func admitLogin() throws(Failure) {
        let isAdmitted = hearing.withLockedValue { hearing in
            guard let next = hearing.nextLogin else { return true }
            guard next <= .now else { return false }
            hearing.nextLogin = .now + Self.pause
            return true
        }
        guard isAdmitted else { throw .unavailable("Dovecot") }
    }

    private func noteLogin() {
        hearing.withLockedValue { hearing in
            hearing.lastLogin = .now
            hearing.nextLogin = nil
        }
        noteAnswer()
    }

    private func noteNoLogin(since start: ContinuousClock.Instant, _ error: IMAPError) {
        switch error {
        case .timedOut: noteSilence(since: start)
        case .unreachable: hearing.withLockedValue { $0.isAway = true }
        case .authenticationFailed: return hearing.withLockedValue { $0.nextLogin = nil }
        default: return
        }
        hearing.withLockedValue { hearing in
            if let login = hearing.lastLogin, login > start { return }
            hearing.nextLogin = .now + Self.pause
        }
    }

    /// A token of the mailbox may be dead.
    func forgetToken(of account: String) async { await tokens.invalidate(account) }

    /// A session of the mailbox, logged in.
    ///
    /// - Throws: `Failure`: `notFound` or `conflict` without such an active mailbox, `unavailable`, `timeout`, `upstream`
    ///   when the login is refused; `IMAPError` when the connection is lost.
    func open(_ mailbox: Mailbox) async throws -> MailSession {
        do {
            return try await login(mailbox)
        } catch let error as IMAPError {
            guard case .authenticationFailed(let code, _, _) = error, code != .unavailable else { throw error }
            // The token may have been revoked a moment ago; a new one tells.
            await tokens.invalidate(mailbox.address)
            return try await login(mailbox)
        }
    }

    private func login(_ mailbox: Mailbox) async throws -> MailSession {
        let startedAt = Timestamp.now()
        let token = try await tokens.token(for: mailbox.address)
        try admitLogin()
        let askedAt = ContinuousClock.now
        do {
            // On the event loop of the call, where there is one: between the two of them no thread has to be waked.
            let group: any EventLoopGroup =
                MultiThreadedEventLoopGroup.currentEventLoop ?? .singletonMultiThreadedEventLoopGroup
            let connection = try await IMAPConnection.connect(configuration, on: group, logger: logger)
            do {
                let mechanism = SASLMechanism.xoauth2(user: mailbox.address, token: token)
                // Dovecot delays logins by address: it has to know the person's, not ours.
                if let address = mailbox.clientAddress {
                    try await connection.authenticate(mechanism, id: ["x-originating-ip": address])
                } else {
                    try await connection.authenticate(mechanism)
                }
            } catch {
                connection.close()
                throw error
            }
            noteLogin()
            return MailSession(account: mailbox.address, connection: connection, startedAt: startedAt, cache: cache)
        } catch let error as IMAPError {
            noteNoLogin(since: askedAt, error)
            throw error
        }
    }
}
