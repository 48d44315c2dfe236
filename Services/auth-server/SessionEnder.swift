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
    private let pending = NIOLockedValueBox<Set<String>>([])
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
        let horizon = Timestamp.now() - 3_600_000
        // Older ones come when the ledger is read at start: no session they meant can be alive with its token. Which
        // connections used the tokens of one user or one login Dovecot does not tell; those are refused from now on.
        let emails = revocations.filter { $0.kind == .account && $0.at > horizon }.map(\.value)
        guard doveadm != nil, !emails.isEmpty else { return }
        pending.withLockedValue { $0.formUnion(emails) }
        waker.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.wake {
                while !Task.isCancelled, let email = self.pending.withLockedValue({ $0.popFirst() }) {
                    await self.kick(email)
                }
            }
        }
    }

    private func kick(_ email: String) async {
        do {
            try await doveadm?.kick(email)
            kicks.increment()
        } catch Doveadm.Failed.away {
            logger.warning("Dovecot away, sessions not ended yet", metadata: ["account": "\(email)"])
            pending.withLockedValue { _ = $0.insert(email) }
            try? await Task.sleep(for: .milliseconds(500))
        } catch {
            logger.error("Dovecot sessions not ended", metadata: ["account": "\(email)", "error": "\(error)"])
        }
    }
}
