/// Which mailboxes' sessions are to be ended, and when.
///
/// Each is kicked several times: a login that was just under way when the mailbox was revoked is not among Dovecot's
/// sessions yet. Checking a password takes Dovecot 0.13 s, on a busy machine a multiple of that.
struct KickSchedule {
    /// After the revocation was heard of.
    private static let rounds: [Duration] = [.zero, .milliseconds(300), .seconds(1)]
    /// For how long what Dovecot refuses is tried again, and how long it is left alone at most meanwhile.
    private static let patience = Duration.seconds(300)
    private static let longestPause = Duration.seconds(10)

    /// One mailbox whose turn it is.
    struct Kick: Sendable {
        let email: String
        /// Milliseconds since 1970.
        let revokedAt: Int64
        fileprivate let begun: ContinuousClock.Instant
        fileprivate var round = 0
        fileprivate var due: ContinuousClock.Instant
        fileprivate var refusals = 0
        fileprivate var refusedSince: ContinuousClock.Instant?

        /// Whether the mailbox was not kicked for this revocation before.
        var isFirst: Bool { round == 0 }
    }

    private var kicks: [String: Kick] = [:]
    /// Handed out.
    private var taken: [String: Kick] = [:]

    /// When the next is due; nil when there is nothing to do.
    var next: ContinuousClock.Instant? { kicks.values.lazy.map(\.due).min() }

    /// When the oldest revocation was made of which something is still to be done: milliseconds since 1970.
    var oldest: Int64? {
        [kicks, taken].compactMap { $0.values.lazy.map(\.revokedAt).min() }.min()
    }

    /// All rounds for a mailbox, from now.
    mutating func begin(_ email: String, revokedAt: Int64, now: ContinuousClock.Instant = .now) {
        kicks[email] = Kick(email: email, revokedAt: revokedAt, begun: now, due: now)
    }

    /// Hands out what is due: each must come back by `kicked`, `putOff` or `refused`.
    mutating func take(dueAt now: ContinuousClock.Instant, most: Int) -> [Kick] {
        let due = Array(kicks.values.lazy.filter { $0.due <= now }.prefix(most))
        for kick in due {
            kicks[kick.email] = nil
            taken[kick.email] = kick
        }
        return due
    }

    /// The next round follows, unless the mailbox was revoked again meanwhile.
    mutating func kicked(_ batch: [Kick]) {
        for var kick in back(batch) {
            kick.round += 1
            kick.refusals = 0
            kick.refusedSince = nil
            guard kick.round < Self.rounds.count else { continue }
            kick.due = kick.begun + Self.rounds[kick.round]
            kicks[kick.email] = kick
        }
    }

    /// The same round again, of what Dovecot did not answer to: what it refused before does not count any more.
    mutating func putOff(_ batch: [Kick], until due: ContinuousClock.Instant) {
        for var kick in back(batch) {
            kick.refusals = 0
            kick.refusedSince = nil
            kick.due = due
            kicks[kick.email] = kick
        }
    }

    /// The same round again, later each time, of what Dovecot answered to and did not do.
    ///
    /// - Returns: Those that it has refused for five minutes: they are given up.
    mutating func refused(_ batch: [Kick], now: ContinuousClock.Instant = .now) -> [Kick] {
        var givenUp: [Kick] = []
        for var kick in back(batch) {
            let since = kick.refusedSince ?? now
            guard since.duration(to: now) < Self.patience else {
                givenUp.append(kick)
                continue
            }
            kick.refusedSince = since
            kick.refusals += 1
            kick.due = now + min(Self.longestPause, Duration.milliseconds(125) * (1 << min(kick.refusals, 10)))
            kicks[kick.email] = kick
        }
        return givenUp
    }

    /// Takes back what was handed out.
    /// - Returns: What of it is still to be done: a mailbox that was revoked again meanwhile begins anew.
    private mutating func back(_ batch: [Kick]) -> [Kick] {
        for kick in batch { taken[kick.email] = nil }
        return batch.filter { kicks[$0.email] == nil }
    }
}
