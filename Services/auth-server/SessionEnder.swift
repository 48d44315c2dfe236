import HTTPService
import Logging
import MailModel
import Metrics
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Ends what no token check reaches any more: the live Dovecot sessions of the mailboxes that a revocation names.
///
/// Every replica hears of every revocation and acts on it; kicking twice does no harm. While Dovecot is away the
/// mailboxes wait here: its sessions ended with it, but it may only have hung.
final class SessionEnder: Service {
    /// Kicked with one request to Dovecot, which does its commands one after the other.
    private static let batch = 50
    private static let batchesAtOnce = 4
    private static let longestPause = Duration.seconds(2)

    private let doveadm: Doveadm?
    private let logger: Logger
    private let state: NIOLockedValueBox<State>
    private struct State {
        var schedule = KickSchedule()
        /// The revocations acted upon: the feed tells of each more than once, and whoever logged in anew meanwhile stays.
        var done: Set<Int64> = []
        /// How long to leave Dovecot alone after a failure.
        var pause = Duration.milliseconds(125)
    }

    /// Milliseconds since 1970. What the ledger tells of earlier times is not counted as late.
    private let began = Timestamp.now()
    private let kicks = Counter(label: "dovecot_kicks_total")
    private let heardDelay = Timer(label: "revocation_delay_seconds")
    private let kickDelay = Timer(label: "dovecot_kick_delay_seconds")
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// - Parameter doveadm: nil where no Dovecot is to be told.
    init(doveadm: Doveadm?, logger: Logger) {
        self.doveadm = doveadm
        self.logger = logger
        state = NIOLockedValueBox(State())
        Counter.declare("revocations_total", by: "kind", ["jti", "family", "user", "account"])
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes note of revocations that count here from now on; the sessions end shortly after.
    func end(_ revocations: [Revocation]) {
        // Older ones come when the ledger is read at start: what they meant was ended by whoever ran then. Dovecot does
        // not tell which connections used which token, so all of a mailbox end; those that still may come back.
        let now = Timestamp.now()
        let horizon = now - 3_600_000
        let news = state.withLockedValue { state in
            if state.done.count > 100_000 { state.done.removeAll() }
            let news = revocations.filter { $0.at > horizon && state.done.insert($0.id).inserted }
            guard doveadm != nil else { return news }
            for revocation in news {
                for email in revocation.mailboxes { state.schedule.begin(email, revokedAt: revocation.at) }
            }
            return news
        }
        for revocation in news where revocation.at >= began {
            Counter(label: "revocations_total", dimensions: [("kind", revocation.kind.rawValue)]).increment()
            heardDelay.recordMilliseconds(max(0, now - revocation.at))
        }
        waker.yield()
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.wake {
                while !Task.isCancelled, let next = self.state.withLockedValue({ $0.schedule.next }) {
                    if next <= .now {
                        await self.kickDue()
                    } else {
                        // Short, for what is revoked meanwhile is due at once.
                        try? await Task.sleep(for: min(.milliseconds(10), next - .now))
                    }
                }
            }
        }
    }

    private func kickDue() async {
        let due = state.withLockedValue { $0.schedule.take(dueAt: .now, most: Self.batch * Self.batchesAtOnce) }
        await withTaskGroup(of: Void.self) { group in
            for start in stride(from: 0, to: due.count, by: Self.batch) {
                let batch = Array(due[start..<min(start + Self.batch, due.count)])
                group.addTask { await self.kick(batch) }
            }
        }
    }

    private func kick(_ batch: [KickSchedule.Kick]) async {
        do {
            try await doveadm?.kick(batch.map(\.email))
        } catch Doveadm.Failed.away {
            let pause = state.withLockedValue { state in
                state.pause = min(state.pause * 2, Self.longestPause)
                state.schedule.putOff(batch, until: .now + state.pause)
                return state.pause
            }
            logger.warning(
                "Dovecot away, sessions not ended yet",
                metadata: ["mailboxes": "\(batch.count)", "again_after": "\(pause)"])
            return
        } catch is CancellationError { return } catch {
            logger.error("Dovecot sessions not ended", metadata: ["error": "\(error)"])
        }
        let now = Timestamp.now()
        state.withLockedValue { state in
            state.pause = .milliseconds(125)
            state.schedule.kicked(batch)
        }
        kicks.increment(by: batch.count)
        for kick in batch where kick.isFirst && kick.revokedAt >= began {
            kickDelay.recordMilliseconds(max(0, now - kick.revokedAt))
        }
    }
}
