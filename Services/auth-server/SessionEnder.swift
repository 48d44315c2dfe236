import Logging
import MailModel
import Metrics
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Ends what no token check reaches any more: the live Dovecot sessions of a revoked mailbox.
///
/// Every replica hears of every revocation and acts on it; kicking twice does no harm. While Dovecot is away the
/// mailboxes wait here: its sessions ended with it, but it may only have hung.
final class SessionEnder: Service {
    private let doveadm: Doveadm?
    private let logger: Logger
    private let state = NIOLockedValueBox(State())
    private struct State {
        /// Mailboxes whose sessions are to be ended.
        var pending: Set<String> = []
        /// The revocations acted upon: the feed tells of each more than once, and whoever logged in anew meanwhile stays.
        var done: Set<Int64> = []
    }

    private let kicks = Counter(label: "dovecot_kicks_total")
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// - Parameter doveadm: nil where no Dovecot is to be told.
    init(doveadm: Doveadm?, logger: Logger) {
        self.doveadm = doveadm
        self.logger = logger
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes note of revocations; the sessions end shortly after.
    func end(_ revocations: [Revocation]) {
        guard doveadm != nil else { return }
        // Older ones come when the ledger is read at start: what they meant was ended by whoever ran then. Dovecot does
        // not tell which connections used which token, so all of a mailbox end; those that still may come back.
        let horizon = Timestamp.now() - 3_600_000
        state.withLockedValue { state in
            if state.done.count > 100_000 { state.done.removeAll() }
            for revocation in revocations where !revocation.mailboxes.isEmpty && revocation.at > horizon {
                if state.done.insert(revocation.id).inserted { state.pending.formUnion(revocation.mailboxes) }
            }
        }
        waker.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.wake {
                while !Task.isCancelled, case let emails = self.takePending(), !emails.isEmpty {
                    for email in emails { await self.kick(email) }
                    // A login that was just under way is not among Dovecot's sessions yet.
                    try? await Task.sleep(for: .milliseconds(300))
                    for email in emails { await self.kick(email) }
                }
            }
        }
    }

    private func takePending() -> Set<String> {
        state.withLockedValue { state in
            defer { state.pending = [] }
            return state.pending
        }
    }

    private func kick(_ email: String) async {
        do {
            try await doveadm?.kick(email)
            kicks.increment()
        } catch Doveadm.Failed.away {
            logger.warning("Dovecot away, sessions not ended yet", metadata: ["account": "\(email)"])
            state.withLockedValue { _ = $0.pending.insert(email) }
            try? await Task.sleep(for: .milliseconds(500))
        } catch {
            logger.error("Dovecot sessions not ended", metadata: ["account": "\(email)", "error": "\(error)"])
        }
    }
}
