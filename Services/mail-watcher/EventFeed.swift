import EventBus
import MailModel
import ServiceLifecycle

/// Brings the events of the followed accounts from Redis to the listeners of this replica. The bus closes gaps by
/// itself; one subscription for each account serves all who listen to it.
actor EventFeed: Service {
    private struct Following {
        let subscription: Task<Subscription, Never>
        let pump: Task<Void, Never>
    }

    /// Of each account, before the bus says `mail.resync`: this reader only hands events on.
    private static let buffer = 1024

    private let bus: EventBus
    private let subscribers: Subscribers
    private var following: [String: Following] = [:]

    init(bus: EventBus, subscribers: Subscribers) {
        self.bus = bus
        self.subscribers = subscribers
    }

    /// Returns when what is published of these accounts from now on is heard.
    func follow(_ accounts: [String]) async {
        for account in accounts where following[account] == nil {
            // No children of `run`, since each ends when its last listener goes; `run` ends and awaits the rest.
            let subscription = Task { [bus] in await bus.subscribe(account: account, buffer: Self.buffer) }
            let pump = Task { [subscribers] in
                for await event in await subscription.value { subscribers.deliver(event) }
            }
            following[account] = Following(subscription: subscription, pump: pump)
        }
        for account in accounts { _ = await following[account]?.subscription.value }
    }

    func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            await Pause.until(.seconds(5))
            let wanted = Set(subscribers.accounts)
            for (account, feed) in following where !wanted.contains(account) {
                feed.pump.cancel()
                following[account] = nil
            }
        }
        let last = following.values.map(\.pump)
        following = [:]
        for pump in last { pump.cancel() }
        for pump in last { await pump.value }
    }
}
