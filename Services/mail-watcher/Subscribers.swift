import MailModel
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Everybody who listens on this replica, and the way of an event to them.
final class Subscribers: Sendable, Service {
    private struct State {
        var listeners: [ObjectIdentifier: Listener] = [:]
        var byAccount: [String: [ObjectIdentifier: Listener]] = [:]
        /// How many each person has, by subject.
        var byPerson: [String: Int] = [:]
        var isClosed = false
    }

    /// Streams that one person may have open here.
    static let personLimit = 100
    /// Seconds after which a client that did not take the end is cut off.
    private static let patience = 6

    private let capacity: Int
    private let beatEvery: Duration
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - capacity: How many listeners there may be.
    ///   - beatEvery: How often each listener shows its client that the connection lives.
    init(capacity: Int, beatEvery: Duration = .seconds(15)) {
        self.capacity = capacity
        self.beatEvery = beatEvery
    }

    var count: Int { state.withLockedValue { $0.listeners.count } }

    func count(of account: String) -> Int { state.withLockedValue { $0.byAccount[account]?.count ?? 0 } }

    /// Events that wait for slow readers.
    var queued: Int { all.reduce(0) { $0 + $1.queued } }

    /// The accounts with a listener.
    var accounts: [String] { state.withLockedValue { Array($0.byAccount.keys) } }

    /// - Throws: `Failure` `tooManyRequests` when there are too many already, here or of this person, `unavailable` while
    ///   stopping.
    func add(_ listener: Listener) throws {
        try state.withLockedValue { state in
            guard !state.isClosed else { throw Failure.unavailable("This replica") }
            guard state.listeners.count < capacity else {
                throw Failure(
                    .tooManyRequests, code: "too_many_streams", "Too many streams are open here; try again shortly.",
                    retryAfter: .seconds(5))
            }
            if listener.session.isPerson {
                guard state.byPerson[listener.session.subject, default: 0] < Self.personLimit else {
                    throw Failure(
                        .tooManyRequests, code: "too_many_streams",
                        "This user has \(Self.personLimit) streams open; close some.", retryAfter: .seconds(5))
                }
                state.byPerson[listener.session.subject, default: 0] += 1
            }
            state.listeners[ObjectIdentifier(listener)] = listener
            for account in listener.accounts {
                state.byAccount[account, default: [:]][ObjectIdentifier(listener)] = listener
            }
        }
    }

    func remove(_ listener: Listener) {
        state.withLockedValue { state in
            guard state.listeners.removeValue(forKey: ObjectIdentifier(listener)) != nil else { return }
            if let count = state.byPerson[listener.session.subject] {
                state.byPerson[listener.session.subject] = count > 1 ? count - 1 : nil
            }
            for account in listener.accounts {
                state.byAccount[account]?[ObjectIdentifier(listener)] = nil
                if state.byAccount[account]?.isEmpty == true { state.byAccount[account] = nil }
            }
        }
    }

    /// Hands an event to all who listen to its account. One that came before, with the same id, they pass over.
    func deliver(_ event: MailEvent) {
        for listener in listeners(of: event.account) { listener.offer(event) }
    }

    /// Ends what the revocations reach: a person's stream whose token is dead; of a service token, the account.
    func revoke(_ revocations: [Revocation]) {
        for listener in all {
            if revocations.contains(where: listener.session.isEnded) { listener.end(.revoked) }
            guard !listener.session.isPerson else { continue }
            // Revocations are told more than once: one from before the stream began is none of its own.
            for revocation in revocations where revocation.kind == .account && revocation.at > listener.opened {
                listener.revoke(account: revocation.value.lowercased())
            }
        }
    }

    /// Beats, ends tokens whose time is over, and cuts off who does not take the end; at a graceful shutdown, ends all
    /// listeners.
    func run() async throws {
        var sinceBeat = Duration.zero
        var stuck: [ObjectIdentifier: Int] = [:]
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let now = Timestamp.now()
            sinceBeat += .seconds(1)
            let beats = sinceBeat >= beatEvery
            if beats { sinceBeat = .zero }
            for listener in all {
                if let expires = listener.session.expires, expires <= now { listener.end(.expired) }
                if beats { listener.beat() }
            }
            let ended = all.filter(\.hasEnded)
            stuck = Dictionary(
                uniqueKeysWithValues: ended.map { (ObjectIdentifier($0), stuck[ObjectIdentifier($0), default: 0] + 1) })
            for listener in ended where stuck[ObjectIdentifier(listener), default: 0] > Self.patience { listener.cut() }
            await Pause.until(.seconds(1))
        }
        let last = state.withLockedValue { state in
            state.isClosed = true
            return Array(state.listeners.values)
        }
        for listener in last { listener.end(.shutdown) }
    }

    private var all: [Listener] { state.withLockedValue { Array($0.listeners.values) } }

    private func listeners(of account: String) -> [Listener] {
        state.withLockedValue { $0.byAccount[account].map { Array($0.values) } ?? [] }
    }
}
