import EventBus
import MailModel
import ServiceLifecycle

/// Brings the events of the followed accounts from Redis to the listeners of this replica. The bus closes gaps by
/// itself; one subscription for each account serves all who listen to it.
actor EventFeed: Service {
    private let bus: EventBus
    private let subscribers: Subscribers
    private var following: Set<String> = []

    init(bus: EventBus, subscribers: Subscribers) {
        self.bus = bus
        self.subscribers = subscribers
    }

    /// Returns when what is published of these accounts from now on is heard.
    func follow(_ accounts: [String]) async {
        following.formUnion(accounts)
        await bus.follow(accounts) { [subscribers] event in subscribers.deliver(event) }
    }

    func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            await Pause.until(.seconds(5))
            for account in following.subtracting(subscribers.accounts) { end(account) }
        }
        for account in following { end(account) }
    }

    private func end(_ account: String) {
        following.remove(account)
        bus.unfollow(account)
    }
}
