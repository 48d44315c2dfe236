public import MailModel
import NIOConcurrencyHelpers

/// Every revocation that can still hit a token, in memory.
///
/// Entries are dropped once the longest token life has passed. The set is bounded: when it is full, the oldest entries
/// give way to a floor below which every token counts as revoked, so that nothing revoked ever comes back to life.
///
/// An empty set tells nothing before the ledger was read into it: whoever asks whether a token counts asks `isLoaded`
/// too, and does not know while that is false.
public final class RevocationSet: Sendable {
    private struct State {
        /// What was issued before `notBefore` is dead, by kind and value.
        var entries: [Key: Entry] = [:]
        var floor: Int64 = 0
        var latestID: Int64 = 0
        var nextSweep: Int64 = 0
        var isLoaded: Bool
    }

    private struct Key: Hashable {
        let kind: Revocation.Kind
        let value: String
    }

    private struct Entry {
        var notBefore: Int64
        var at: Int64
        /// When it was first heard of, by our own clock: what we remember from before that is of no use, whatever the
        /// clock of who revoked says.
        var heardAt: Int64
    }

    private let capacity: Int
    private let lifetime: Int64
    private let state: NIOLockedValueBox<State>

    /// - Parameters:
    ///   - capacity: How many entries are held.
    ///   - longestTokenLife: After this an entry is of no use; one hour and the clocks' leeway.
    ///   - isLoaded: Whether it holds what it must from the beginning; else `setLoaded` says when.
    public init(
        capacity: Int = 100_000, longestTokenLife: Duration = .seconds(3600 + 60), isLoaded: Bool = false
    ) {
        state = NIOLockedValueBox(State(isLoaded: isLoaded))
        self.capacity = capacity
        self.lifetime = longestTokenLife.components.seconds * 1000
    }

    /// Whether all that was revoked before the start is in it.
    public var isLoaded: Bool { state.withLockedValue { $0.isLoaded } }

    /// The ledger has been read, and what it held was applied.
    public func setLoaded() { state.withLockedValue { $0.isLoaded = true } }

    /// - Throws: `Failure.unavailable` until it is loaded: whether a token is dead is not known then.
    public func requireLoaded() throws {
        guard isLoaded else { throw Failure.unavailable("The list of revocations") }
    }

    /// The highest id applied, for asking only for what came after.
    public var latestID: Int64 { state.withLockedValue { $0.latestID } }

    /// How many entries are held.
    public var count: Int { state.withLockedValue { $0.entries.count } }

    /// Adds revocations, in any order, again or not.
    public func apply(_ revocations: [Revocation]) {
        let now = Timestamp.now()
        state.withLockedValue { state in
            for revocation in revocations {
                state.latestID = max(state.latestID, revocation.id)
                guard revocation.at + lifetime > now else { continue }
                let key = Key(kind: revocation.kind, value: Self.normal(revocation.value, revocation.kind))
                var entry = state.entries[key] ?? Entry(notBefore: 0, at: 0, heardAt: 0)
                // It comes again with each reading of the ledger, and is heard of once.
                if revocation.notBefore > entry.notBefore { entry.heardAt = now }
                entry.notBefore = max(entry.notBefore, revocation.notBefore)
                entry.at = max(entry.at, revocation.at)
                state.entries[key] = entry
            }
            sweep(&state, now: now)
        }
    }

    /// Whether the token is dead. A `jti` or a session is dead for good; a user or mailbox up to the revocation's time.
    public func isRevoked(_ token: AccessToken) -> Bool {
        state.withLockedValue { state in
            if token.issuedAt < state.floor { return true }
            if state.entries.isEmpty { return false }
            if state.entries[Key(kind: .jti, value: token.jti)] != nil { return true }
            if !token.sid.isEmpty, state.entries[Key(kind: .family, value: token.sid)] != nil { return true }
            func dead(_ kind: Revocation.Kind, _ value: String) -> Bool {
                state.entries[Key(kind: kind, value: value)].map { token.issuedAt < $0.notBefore } ?? false
            }
            return dead(.user, token.sub) || dead(.account, token.email)
                || token.accounts?.contains { dead(.account, $0) } ?? false
        }
    }

    /// Whether this one credential is dead, whatever else its owner has.
    public func isRevoked(jti: String) -> Bool {
        state.withLockedValue { $0.entries[Key(kind: .jti, value: jti)] != nil }
    }

    /// Whether a mailbox, or a user, was revoked since: what was remembered of it then is to be asked again.
    ///
    /// - Parameters:
    ///   - value: The address of a mailbox, the `sub` of a user.
    ///   - moment: Milliseconds since 1970, by the clock of this machine.
    public func isRevoked(_ kind: Revocation.Kind, _ value: String, since moment: Int64) -> Bool {
        state.withLockedValue { state in
            state.floor > moment
                || state.entries[Key(kind: kind, value: value)].map { max($0.at, $0.heardAt) >= moment } ?? false
        }
    }

    private static func normal(_ value: String, _ kind: Revocation.Kind) -> String {
        kind == .account ? value.lowercased() : value
    }

    private func sweep(_ state: inout State, now: Int64) {
        guard now >= state.nextSweep || state.entries.count > capacity else { return }
        state.nextSweep = now + 60_000
        state.entries = state.entries.filter { $0.value.at + lifetime > now }
        guard state.entries.count > capacity else { return }
        // Down to three quarters, so that a flood does not sort at every message.
        let oldest = state.entries.sorted { $0.value.at < $1.value.at }.prefix(state.entries.count - capacity * 3 / 4)
        for (key, entry) in oldest {
            state.entries[key] = nil
            state.floor = max(state.floor, entry.notBefore, entry.at)
        }
    }
}
