import Logging
import MailModel
import NIOConcurrencyHelpers
import SMTP
import ServiceLifecycle

/// A connection to the submission server, logged in to one mailbox.
final class SubmissionSession: Sendable {
    let account: String
    let connection: SMTPConnection
    /// Milliseconds since 1970: a revocation made later ends it.
    let startedAt: Int64

    init(account: String, connection: SMTPConnection, startedAt: Int64) {
        self.account = account
        self.connection = connection
        self.startedAt = startedAt
    }
}

/// Submission connections that are kept warm for a moment, so that the next message of a mailbox costs no login.
///
/// The server hangs up after a minute of silence, and must find out within it whose login was revoked
/// (`docs/decisions/0004-submission-after-a-revocation.md`): ours are kept for less, and closed by a revocation.
final class SubmissionSessions: Sendable, Service {
    struct Limits: Sendable {
        /// How long an unused connection is kept; below the server's own time-out.
        var idle = Duration.seconds(45)
        var perMailbox = 2
        /// Each holds a process of the server.
        var total = 20
    }

    private struct Idle {
        let session: SubmissionSession
        let since: ContinuousClock.Instant
    }

    private struct State {
        /// The one unused for longest first.
        var idle: [Idle] = []
        /// Revocations, by mailbox, for as long as a connection from before could be in use.
        var revoked: [String: Int64] = [:]
        var isClosed = false
    }

    private let limits: Limits
    private let state = NIOLockedValueBox(State())

    init(limits: Limits) { self.limits = limits }

    /// A warm connection of the mailbox, if there is one.
    func take(_ account: String) -> SubmissionSession? {
        state.withLockedValue { state in
            while let index = state.idle.lastIndex(where: { $0.session.account == account }) {
                let session = state.idle.remove(at: index).session
                if session.connection.isOpen { return session }
            }
            return nil
        }
    }

    /// Keeps a connection for the next message, or has it closed.
    func giveBack(_ session: SubmissionSession) {
        guard session.connection.isOpen else { return }
        let surplus: SubmissionSession? = state.withLockedValue { state in
            let isRevoked = state.revoked[session.account].map { session.startedAt < $0 } ?? false
            guard !state.isClosed, !isRevoked, limits.total > 0 else { return session }
            state.idle.append(Idle(session: session, since: .now))
            if state.idle.count(where: { $0.session.account == session.account }) > limits.perMailbox,
                let oldest = state.idle.firstIndex(where: { $0.session.account == session.account })
            {
                return state.idle.remove(at: oldest).session
            }
            return state.idle.count > limits.total ? state.idle.removeFirst().session : nil
        }
        surplus?.connection.close()
    }

    /// Ends the connections of every revoked mailbox that began before its revocation; those in use are not kept.
    func close(_ revocations: [Revocation]) {
        for revocation in revocations {
            for account in revocation.mailboxes.map({ $0.lowercased() }) {
                let doomed = state.withLockedValue { state in
                    // Far more than there are in a time in which they matter.
                    if state.revoked.count > 10_000 { state.revoked.removeAll() }
                    state.revoked[account] = max(state.revoked[account] ?? 0, revocation.notBefore)
                    let isDoomed = { (idle: Idle) in
                        idle.session.account == account && idle.session.startedAt < revocation.notBefore
                    }
                    defer { state.idle.removeAll(where: isDoomed) }
                    return state.idle.filter(isDoomed)
                }
                for idle in doomed { idle.session.connection.close() }
            }
        }
    }

    /// Closes what has been unused for long, until shutdown; then all.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.sweep(before: .now - self.limits.idle)
                try? await Task.sleep(for: .seconds(1))
            }
        }
        state.withLockedValue { $0.isClosed = true }
        sweep(before: .now)
    }

    private func sweep(before instant: ContinuousClock.Instant) {
        let old = state.withLockedValue { state in
            defer { state.idle.removeAll { $0.since <= instant } }
            return state.idle.filter { $0.since <= instant }
        }
        for idle in old { idle.session.connection.close() }
    }
}
