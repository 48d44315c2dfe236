import MailModel
import NIOConcurrencyHelpers
import Redis

/// Who listens to what: all accounts share one connection to Redis, and a channel is subscribed to while somebody
/// listens to it.
final class SubscriptionHub: Sendable {
    typealias Events = GapQueue<MailEvent>
    typealias Follower = @Sendable (MailEvent) -> Void

    private struct Account {
        var listeners: [ObjectIdentifier: Events] = [:]
        /// Called with each event, where nothing has to wait for a reader.
        var follower: Follower?
        /// Those who wait for messages to arrive.
        var waiting: [GapQueue<Void>] = []
        var isLive = false
        /// Somebody listens already though messages do not arrive yet, or it is not known up to where they did.
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

    /// - Returns: What to wait for until messages arrive; nil when they do, or cannot soon.
    func add(_ events: Events, to account: String) -> GapQueue<Void>? {
        join(account, { $0.listeners[ObjectIdentifier(events)] = events }, ifFinished: { events.finish() })
    }

    /// - Parameter follower: One for each account: it takes the place of an earlier.
    /// - Returns: As above.
    func follow(_ account: String, _ follower: @escaping Follower) -> GapQueue<Void>? {
        join(account, { $0.follower = follower }, ifFinished: {})
    }

    private func join(
        _ account: String, _ change: (inout Account) -> Void, ifFinished: () -> Void
    ) -> GapQueue<Void>? {
        state.withLockedValue { state in
            guard !state.isFinished else {
                ifFinished()
                return nil
            }
            if state.accounts[account] == nil { subscriber.subscribe(EventBus.channel(account)) }
            var entry = state.accounts[account, default: Account()]
            defer { state.accounts[account] = entry }
            change(&entry)
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

    /// Nobody waits any longer: when messages arrive at last, some may be missing.
    func markLate(_ account: String) {
        state.withLockedValue { state in
            if state.accounts[account]?.isLive == false { state.accounts[account]?.isLate = true }
        }
    }

    func remove(_ events: Events, from account: String) {
        events.finish()
        leave(account) { $0.listeners.removeValue(forKey: ObjectIdentifier(events)) != nil }
    }

    func unfollow(_ account: String) {
        leave(account) { entry in
            defer { entry.follower = nil }
            return entry.follower != nil
        }
    }

    /// - Parameter change: Returns whether there was somebody who left.
    private func leave(_ account: String, _ change: (inout Account) -> Bool) {
        state.withLockedValue { state in
            guard var entry = state.accounts[account], change(&entry) else { return }
            guard entry.listeners.isEmpty, entry.follower == nil else {
                state.accounts[account] = entry
                return
            }
            state.accounts[account] = nil
            subscriber.unsubscribe(EventBus.channel(account))
        }
    }

    func finish() {
        let accounts = state.withLockedValue { state in
            state.isFinished = true
            defer { state.accounts = [:] }
            return state.accounts
        }
        for account in accounts.values {
            for events in account.listeners.values { events.finish() }
            for live in account.waiting { live.finish() }
        }
    }
}

/// What the dispatcher of the bus tells it.
extension SubscriptionHub {
    var accounts: [String] { state.withLockedValue { Array($0.accounts.keys) } }

    /// What an account whose messages begin to arrive has missed: everything after an event, nothing, or nobody knows.
    enum Missing: Equatable { case after(StreamID), nothing, unknown }

    /// nil when nobody listens.
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

    /// To all who listen to its account, unless it was replayed before.
    func deliver(_ event: MailEvent, isReplay: Bool = false) {
        let (listeners, follower) = state.withLockedValue { state -> ([Events], Follower?) in
            guard var entry = state.accounts[event.account] else { return ([], nil) }
            if let id = StreamID(event.id) {
                if !isReplay, let replayed = entry.replayed, id <= replayed { return ([], nil) }
                if isReplay { entry.replayed = id }
                entry.complete = max(id, entry.complete ?? .zero)
                state.accounts[event.account] = entry
            }
            return (Array(entry.listeners.values), entry.follower)
        }
        for events in listeners { events.append(event) }
        follower?(event)
    }
}
