/// Which mailboxes' sessions are to be ended, and when.
///
/// Each is kicked several times: a login that was just under way when the mailbox was revoked is not among Dovecot's
/// sessions yet. Checking a password takes Dovecot 0.13 s, on a busy machine a multiple of that.
struct KickSchedule {
    /// After the revocation was heard of.
    private static let rounds: [Duration] = [.zero, .milliseconds(300), .seconds(1)]

    /// One mailbox whose turn it is.
    struct Kick: Sendable {
        let email: String
        /// Milliseconds since 1970.
        let revokedAt: Int64
        fileprivate let begun: ContinuousClock.Instant
        fileprivate var round = 0
        fileprivate var due: ContinuousClock.Instant

        /// Whether the mailbox was not kicked for this revocation before.
        var isFirst: Bool { round == 0 }
    }

    private var kicks: [String: Kick] = [:]

    /// When the next is due; nil when there is nothing to do.
    var next: ContinuousClock.Instant? { kicks.values.lazy.map(\.due).min() }

    /// All rounds for a mailbox, from now.
    mutating func begin(_ email: String, revokedAt: Int64, now: ContinuousClock.Instant = .now) {
        kicks[email] = Kick(email: email, revokedAt: revokedAt, begun: now, due: now)
    }

    /// Hands out what is due: each must come back by `kicked` or `putOff`.
    mutating func take(dueAt now: ContinuousClock.Instant, most: Int) -> [Kick] {
        let due = kicks.values.lazy.filter { $0.due <= now }.prefix(most)
        let taken = Array(due)
        for kick in taken { kicks[kick.email] = nil }
        return taken
    }

    /// The next round follows, unless the mailbox was revoked again meanwhile.
    mutating func kicked(_ batch: [Kick]) {
        for var kick in batch where kicks[kick.email] == nil {
            kick.round += 1
            guard kick.round < Self.rounds.count else { continue }
            kick.due = kick.begun + Self.rounds[kick.round]
            kicks[kick.email] = kick
        }
    }

    /// The same round again.
    mutating func putOff(_ batch: [Kick], until due: ContinuousClock.Instant) {
        for var kick in batch where kicks[kick.email] == nil {
            kick.due = due
            kicks[kick.email] = kick
        }
    }
}
