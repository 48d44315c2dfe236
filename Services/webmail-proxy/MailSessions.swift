import Credentials
import IMAP
import Logging
import MailModel
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// Warm IMAP sessions, a bounded pool for each mailbox.
///
/// A call leases a session for as long as it needs it, and gets, if it can, one that has its folder open already. Only
/// when none is idle, or when the folder is a new one, is another session begun; beyond the limits calls wait in line.
/// Sessions end when they have been idle for long, when their connection dies, and when their mailbox is revoked.
final class MailSessions: Sendable, Service {
    struct Limits: Sendable {
        /// Sessions of one mailbox.
        var perMailbox: Int
        /// Sessions of all mailboxes.
        var total: Int
        /// How long an unused session is kept.
        var idle: Duration
        /// Folders of one mailbox that are kept open, each on a session of its own, before one is closed for another.
        var folders = 3
        /// Calls waiting for a session of one mailbox.
        var waiting = 64
        /// How long a call waits for a session.
        var wait = Duration.seconds(2)
    }

    private let opener: MailSessionOpener
    private let limits: Limits
    private let logger: Logger
    private let pool: NIOLockedValueBox<SessionPool>

    init(opener: MailSessionOpener, limits: Limits, logger: Logger) {
        self.opener = opener
        self.limits = limits
        self.logger = logger
        pool = NIOLockedValueBox(SessionPool(limits: limits))
    }

    /// Leases a session of a mailbox for one call.
    ///
    /// - Parameters:
    ///   - folder: The folder the call is about; a session that has it open is preferred.
    ///   - isRepeatable: The call may be made once more, on a new session, when the connection is lost under it.
    /// - Throws: `Failure`, and what `body` throws; an `IMAPError` becomes the `Failure` that it means.
    func withSession<Value: Sendable>(
        of mailbox: Mailbox, folder: MailboxName? = nil, isRepeatable: Bool = false,
        _ body: @Sendable (MailSession) async throws -> Value
    ) async throws -> Value {
        do {
            return try await attempt(mailbox, folder: folder, body)
        } catch let error as IMAPError where isRepeatable && error.isLostConnection {
            // The other idle sessions have most likely died of the same.
            pool.withLockedValue { $0.takeIdle(of: mailbox.address) }.forEach { $0.connection.close() }
            do { return try await attempt(mailbox, folder: folder, body) } catch let error as IMAPError {
                throw Failure(error)
            }
        } catch let error as IMAPError {
            throw Failure(error)
        }
    }

    /// Ends the sessions of every revoked mailbox that began before its revocation, those in use too. Applying a
    /// revocation again does nothing.
    func close(_ revocations: [Revocation]) async {
        for revocation in revocations {
            for account in revocation.mailboxes { await close(account.lowercased(), before: revocation.notBefore) }
        }
    }

    private func close(_ account: String, before instant: Int64) async {
        let doomed = pool.withLockedValue { $0.revoke(account, before: instant) }
        guard !doomed.isEmpty else { return }
        await opener.forgetToken(of: account)
        for session in doomed { session.connection.close() }
        logger.info(
            "Sessions of a revoked mailbox ended",
            metadata: ["account": "\(account)", "sessions": "\(doomed.count)"])
    }

    /// Whether the mail server answered when it was last asked.
    var isServerAway: Bool { opener.isServerAway }

    /// Ends idle sessions and waits that are over, until shutdown; then every session.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.sweep()
                try? await Task.sleep(for: .milliseconds(250))
            }
        }
        let sessions = pool.withLockedValue { $0.takeAllIdle() }
        await withTaskGroup(of: Void.self) { group in
            for session in sessions { group.addTask { await session.connection.logout() } }
        }
    }

    // MARK: One lease

    private func attempt<Value: Sendable>(
        _ mailbox: Mailbox, folder: MailboxName?, _ body: @Sendable (MailSession) async throws -> Value
    ) async throws -> Value {
        try opener.checkServer()
        let session = try await lease(mailbox, folder: folder)
        defer { release(session) }
        let startedAt = ContinuousClock.now
        do {
            let value = try await body(session)
            opener.noteAnswer()
            return value
        } catch let error as IMAPError {
            // One command that takes too long says nothing of a server that meanwhile answers others.
            if case .timedOut = error { opener.noteSilence(since: startedAt) }
            throw error
        }
    }

    private func lease(_ mailbox: Mailbox, folder: MailboxName?) async throws -> MailSession {
        switch pool.withLockedValue({ $0.lease(mailbox.address, folder: folder) }) {
        case .session(let session): return session
        case .open(let evicted):
            evicted?.connection.close()
            do { return try await open(mailbox) } catch {
                // A server that lets nobody in just now still answers a session that has another folder selected.
                let failure = error as? Failure ?? (error as? IMAPError).map { Failure($0) }
                guard let failure, [.unavailable, .timeout].contains(failure.kind),
                    let session = pool.withLockedValue({ $0.leaseIdle(mailbox.address) })
                else { throw error }
                return session
            }
        case .wait:
            guard let session = try await wait(mailbox, folder: folder) else { return try await open(mailbox) }
            return session
        case .full: throw SessionPool.busy
        }
    }

    private func open(_ mailbox: Mailbox) async throws -> MailSession {
        do {
            let session = try await opener.open(mailbox)
            guard pool.withLockedValue({ $0.opened(session) }) else {
                session.connection.close()
                throw Failure.unavailable("Dovecot")
            }
            return session
        } catch {
            pool.withLockedValue { $0.vacate(mailbox.address) }?.resume(returning: nil)
            throw error
        }
    }

    /// - Returns: nil when a place became free and a session has to be opened.
    private func wait(_ mailbox: Mailbox, folder: MailboxName?) async throws -> MailSession? {
        let ticket = pool.withLockedValue { $0.nextTicket() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let lease = pool.withLockedValue {
                    $0.enqueue(continuation, ticket, of: mailbox.address, folder: folder)
                }
                switch lease {
                case .session(let session): continuation.resume(returning: session)
                case .open(let evicted):
                    evicted?.connection.close()
                    continuation.resume(returning: nil)
                case .wait:
                    // A cancellation before this found nobody in the queue.
                    if Task.isCancelled { giveUp(ticket, of: mailbox.address) }
                case .full: continuation.resume(throwing: SessionPool.busy)
                }
            }
        } onCancel: {
            giveUp(ticket, of: mailbox.address)
        }
    }

    private func giveUp(_ ticket: UInt64, of account: String) {
        pool.withLockedValue { $0.dequeue(ticket, of: account) }?.resume(throwing: CancellationError())
    }

    private func release(_ session: MailSession) {
        session.hearNews()
        switch pool.withLockedValue({ $0.release(session) }) {
        case .kept: break
        case .handedOn(let waiter): waiter.resume(returning: session)
        case .dropped(let waiter):
            session.connection.close()
            waiter?.resume(returning: nil)
        }
    }

    private func sweep() {
        let (sessions, waiters) = pool.withLockedValue { $0.sweep(now: .now) }
        for session in sessions { session.connection.close() }
        for waiter in waiters { waiter.resume(throwing: SessionPool.busy) }
    }
}

extension IMAPError {
    /// Whether the connection is gone, rather than silent: another may do better at once.
    fileprivate var isLostConnection: Bool {
        switch self {
        case .bye, .closed: true
        default: false
        }
    }
}
