import HTTPService
import Logging
import MailModel
import Metrics
import NIOConcurrencyHelpers
import ServiceLifecycle
import Storage

/// Ends what no token check reaches any more: the live Dovecot sessions of the mailboxes that a revocation names.
///
/// Every replica hears of every revocation and acts on it; kicking twice does no harm. While Dovecot is away the
/// mailboxes wait here: its sessions ended with it, but it may only have hung. What it refuses is tried again for five
/// minutes.
///
/// Dovecot does not tell which connections used which token, so all of a mailbox end, also those that were opened since.
/// A replica that starts therefore kicks only what others may not have, which is the last minute: how far they are is in
/// the database.
final class SessionEnder: Service {
    /// Kicked with one request to Dovecot, which does its commands one after the other.
    private static let batch = 50
    private static let batchesAtOnce = 4
    private static let longestPause = Duration.seconds(2)
    /// Milliseconds. A revocation's time is taken before it can be heard of; the suspension of a large customer takes a
    /// while.
    private static let settlingTime: Int64 = 60_000
    /// Milliseconds; no token lives longer.
    private static let horizon: Int64 = 3_600_000

    private let doveadm: Doveadm?
    private let ledger: RevocationStore
    private let logger: Logger
    private let state: NIOLockedValueBox<State>
    private struct State {
        var schedule = KickSchedule()
        /// The revocations acted upon: the feed tells of each more than once, and whoever logged in anew meanwhile stays.
        var done: Set<Int64> = []
        /// Those before: what the feed tells of again, a large customer's suspension too, is in one of the two.
        var doneBefore: Set<Int64> = []
        /// How long to leave Dovecot alone after a failure.
        var pause = Duration.milliseconds(125)
        /// What was revoked up to then, others ended before we heard of anything: milliseconds since 1970.
        var endedByOthers: Int64?
    }

    /// Milliseconds since 1970. What the ledger tells of earlier times is not counted as late.
    private let began = Timestamp.now()
    private let kicks = Counter(label: "dovecot_kicks_total", dimensions: [("outcome", "ended")])
    private let givenUp = Counter(label: "dovecot_kicks_total", dimensions: [("outcome", "given_up")])
    private let heardDelay = Timer(label: "revocation_delay_seconds")
    private let kickDelay = Timer(label: "dovecot_kick_delay_seconds")
    private let wake: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation

    /// - Parameter doveadm: nil where no Dovecot is to be told.
    init(doveadm: Doveadm?, ledger: RevocationStore, logger: Logger) {
        self.doveadm = doveadm
        self.ledger = ledger
        self.logger = logger
        state = NIOLockedValueBox(State())
        Counter.declare("revocations_total", by: "kind", ["jti", "family", "user", "account"])
        (wake, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Takes note of revocations that count here from now on; the sessions end shortly after.
    func end(_ revocations: [Revocation]) async {
        let begin = await progressOfOthers()
        let now = Timestamp.now()
        let horizon = max(begin, now - Self.horizon)
        let news = state.withLockedValue { state in
            if state.done.count > 100_000 { (state.doneBefore, state.done) = (state.done, []) }
            let news = revocations.filter {
                $0.at > horizon && !state.doneBefore.contains($0.id) && state.done.insert($0.id).inserted
            }
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
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await self.noteProgress() }
                await self.kickWhenDue()
                tasks.cancelAll()
            }
        }
    }

    private func kickWhenDue() async {
        for await _ in wake {
            while !Task.isCancelled, let next = state.withLockedValue({ $0.schedule.next }) {
                if next <= .now {
                    await kickDue()
                } else {
                    // Short, for what is revoked meanwhile is due at once.
                    try? await Task.sleep(for: min(.milliseconds(10), next - .now))
                }
            }
        }
    }

    /// Read when something was revoked, so that the ledger is there.
    private func progressOfOthers() async -> Int64 {
        if let known = state.withLockedValue({ $0.endedByOthers }) { return known }
        var moment: Int64 = 0
        do { moment = try await ledger.kickedUntil() } catch {
            logger.warning("Not known which sessions were ended before", metadata: ["error": "\(error)"])
        }
        let found = Self.start(after: moment, began: began, now: Timestamp.now())
        state.withLockedValue { $0.endedByOthers = found }
        return found
    }

    /// From when on revocations are ours to act upon: milliseconds since 1970, as all of these. What was revoked since we
    /// began we hear of ourselves; a moment to come was noted by a clock that was wrong, and says nothing.
    /// - Parameter moment: Up to then others have ended what was revoked.
    static func start(after moment: Int64, began: Int64, now: Int64) -> Int64 {
        moment > now ? 0 : min(moment, began - settlingTime)
    }

    /// Tells those that start later how far we are.
    private func noteProgress() async {
        guard doveadm != nil else { return }
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(10))
            let settled = Timestamp.now() - Self.settlingTime
            let until: Int64? = state.withLockedValue { state in
                // Before anything was heard, others may have left something to do.
                guard state.endedByOthers != nil else { return nil }
                return min(settled, state.schedule.oldest.map { $0 - 1 } ?? settled)
            }
            guard let until else { continue }
            do { try await ledger.noteKicked(until: until) } catch {
                logger.debug("Progress of kicks not noted", metadata: ["error": "\(error)"])
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
        guard let doveadm else { return }
        let refused: Set<String>
        do {
            refused = try await doveadm.kick(batch.map(\.email))
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
            logger.warning("Dovecot refused to end sessions", metadata: ["error": "\(error)"])
            refused = Set(batch.map(\.email))
        }
        note(ended: batch.filter { !refused.contains($0.email) }, refused: batch.filter { refused.contains($0.email) })
    }

    private func note(ended: [KickSchedule.Kick], refused: [KickSchedule.Kick]) {
        let now = Timestamp.now()
        let abandoned = state.withLockedValue { state in
            state.pause = .milliseconds(125)
            state.schedule.kicked(ended)
            return state.schedule.refused(refused)
        }
        kicks.increment(by: ended.count)
        for kick in ended where kick.isFirst && kick.revokedAt >= began {
            kickDelay.recordMilliseconds(max(0, now - kick.revokedAt))
        }
        guard !refused.isEmpty else { return }
        logger.warning("Sessions not ended yet", metadata: ["mailboxes": "\(refused.count)"])
        for kick in abandoned {
            logger.error("Sessions not ended: Dovecot refuses", metadata: ["mailbox": "\(kick.email)"])
        }
        givenUp.increment(by: abandoned.count)
    }
}
