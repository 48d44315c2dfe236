public import MailModel
import Redis

/// The live events of one account, for one reader, in order and each once. `mail.resync` (without an id) stands for
/// events that may have been missed: the reader was too slow, or they are not in the log any more.
public final class Subscription: AsyncSequence, Sendable {
    public let account: String
    private let events: GapQueue<MailEvent>
    private let hub: SubscriptionHub

    init(account: String, events: GapQueue<MailEvent>, hub: SubscriptionHub) {
        self.account = account
        self.events = events
        self.hub = hub
    }

    deinit { hub.remove(events, from: account) }

    /// Ends the sequence; so does letting go of it.
    public func cancel() { hub.remove(events, from: account) }

    public func makeAsyncIterator() -> Iterator { Iterator(subscription: self, events: events.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        /// Lives while it is read.
        fileprivate let subscription: Subscription
        fileprivate let events: GapQueue<MailEvent>.Iterator

        /// nil when it was cancelled or the bus has ended.
        public func next() async -> MailEvent? { await events.next() }
    }
}

extension MailEvent {
    static func resync(_ account: String) -> MailEvent {
        MailEvent(account: account, at: Timestamp.now(), kind: .resync)
    }
}
