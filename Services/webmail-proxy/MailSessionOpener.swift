import Credentials
import IMAP
import Logging
import MailModel
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Begins IMAP sessions: connects, and logs in with a mail token of the mailbox, as any mail client would.
///
/// A server found silent is taken for away for a moment, in which calls fail at once instead of waiting in turn.
final class MailSessionOpener: Sendable {
    /// For how long a silent server is not asked again.
    private static let pause = Duration.seconds(1)

    private let configuration: IMAPConfiguration
    private let tokens: MailTokenSource
    private let cache: FolderCache
    private let logger: Logger
    private let silentUntil = NIOLockedValueBox<ContinuousClock.Instant?>(nil)
    private let isAway = NIOLockedValueBox(false)

    /// - Parameter cache: What the sessions remember of the folders they have shown.
    init(configuration: IMAPConfiguration, tokens: MailTokenSource, cache: FolderCache, logger: Logger) {
        self.cache = cache
        self.configuration = configuration
        self.tokens = tokens
        self.logger = logger
    }

    var isServerAway: Bool { isAway.withLockedValue { $0 } }

    /// - Throws: `Failure` `unavailable` while the server is taken for away.
    func checkServer() throws(Failure) {
        if let until = silentUntil.withLockedValue({ $0 }), until > .now { throw .unavailable("Dovecot") }
    }

    /// The server did not answer in time.
    func noteSilence() {
        silentUntil.withLockedValue { $0 = .now + Self.pause }
        isAway.withLockedValue { $0 = true }
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
            isAway.withLockedValue { $0 = false }
            return MailSession(account: mailbox.address, connection: connection, startedAt: startedAt, cache: cache)
        } catch let error as IMAPError {
            if case .timedOut = error { noteSilence() }
            if case .unreachable = error { isAway.withLockedValue { $0 = true } }
            throw error
        }
    }
}
