import MailModel
import NIOConcurrencyHelpers
import Redis

/// Who follows what: all accounts share one connection to Redis, and a channel is subscribed to while somebody follows
/// it.
final class SubscriptionHub: Sendable {
    typealias Follower = @Sendable (MailEvent) -> Void

    private struct Account {
        var follower: Follower
        /// Those who wait for messages to arrive.
        var waiting: [GapQueue<Void>] = []
        var isLive = false
        /// Somebody follows already though messages do not arrive yet, or it is not known up to where they did.
        var isLate = false
        /// Nothing up to this event is missing; nil while unknown.
        var complete: StreamID?
        /// Up to here it was replayed: what arrives of that is a repetition.
        var replayed: StreamID?
    }

    private struct State {
        var accounts: [String: Account] = [:]
        var isDisconnected = false
        var isFinished = false
    }

    private let subscriber: RedisSubscriber
    private let state = NIOLockedValueBox(State())

    init(subscriber: RedisSubscriber) { self.subscriber = subscriber }

    /// - Parameter follower: One for each account: it takes the place of an earlier.
    /// - Returns: What to wait for until messages arrive; nil when they do, or cannot soon.
    func follow(_ account: String, _ follower: @escaping Follower) -> GapQueue<Void>? {
        state.withLockedValue { state in
            guard !state.isFinished else { return nil }
            if state.accounts[account] == nil { subscriber.subscribe(EventBus.channel(account)) }
            var entry = state.accounts[account] ?? Account(follower: follower)
            defer { state.accounts[account] = entry }
            entry.follower = follower
            if entry.isLive { return nil }
            if state.isDisconnected {
                entry.isLate = true
                return nil
            }
            let live = GapQueue<Void>(capacity: 1, gap: ())
            entry.waiting.append(live)
            return live
        }
    }

    func unfollow(_ account: String) {
        state.withLockedValue { state in
            if state.accounts.removeValue(forKey: account) != nil { subscriber.unsubscribe(EventBus.channel(account)) }
        }
    }

    /// Nobody waits any longer: when messages arrive at last, some may be missing.
    func markLate(_ account: String) {
        state.withLockedValue { state in
            if state.accounts[account]?.isLive == false { state.accounts[account]?.isLate = true }
        }
    }

    func finish() {
        let accounts = state.withLockedValue { state in
            state.isFinished = true
            defer { state.accounts = [:] }
            return state.accounts
        }
        for live in accounts.values.flatMap(\.waiting) { live.finish() }
    }
}

/// What the dispatcher of the bus tells it.
extension SubscriptionHub {
    var accounts: [String] { state.withLockedValue { Array($0.accounts.keys) } }

    /// What an account whose messages begin to arrive has missed: everything after an event, nothing, or nobody knows.
    enum Missing: Equatable { case after(StreamID), nothing, unknown }

    /// nil when nobody follows it.
    func missing(of account: String) -> Missing? {
        state.withLockedValue { state in
            guard let entry = state.accounts[account] else { return nil }
            if let complete = entry.complete { return .after(complete) }
            return entry.isLate ? .unknown : .nothing
        }
    }

    /// Messages arrive, and nothing up to `latest` is missing or untold.
    func becameLive(_ account: String, upTo latest: StreamID?) {
        let waiting = state.withLockedValue { state -> [GapQueue<Void>] in
            guard var entry = state.accounts[account] else { return [] }
            entry.isLive = true
            // Also of a log that is empty: what comes while the connection is broken is missing then.
            if let latest { entry.complete = max(latest, entry.complete ?? .zero) }
            entry.isLate = entry.complete == nil
            let waiting = entry.waiting
            entry.waiting = []
            state.accounts[account] = entry
            return waiting
        }
        for live in waiting { live.finish() }
    }

    /// There is a connection: who comes from now on may wait for messages to arrive.
    func connected() { state.withLockedValue { $0.isDisconnected = false } }

    func disconnected() {
        state.withLockedValue { state in
            state.isDisconnected = true
            for account in state.accounts.keys { state.accounts[account]?.isLive = false }
        }
    }

    /// To who follows its account, unless it was replayed before.
    func deliver(_ event: MailEvent, isReplay: Bool = false) {
        let follower = state.withLockedValue { state -> Follower? in
            guard var entry = state.accounts[event.account] else { return nil }
            if let id = StreamID(event.id) {
                if !isReplay, let replayed = entry.replayed, id <= replayed { return nil }
                if isReplay { entry.replayed = id }
                entry.complete = max(id, entry.complete ?? .zero)
                state.accounts[event.account] = entry
            }
            return entry.follower
        }
        follower?(event)
    }
}
