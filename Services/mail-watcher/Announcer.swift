import EventBus
import Logging
import MailModel

/// Sends events to every replica, under the lease of their mailbox.
struct Announcer: Sendable {
    let bus: EventBus
    let subscribers: Subscribers
    let webhooks: WebhookFeed
    /// This replica.
    let holder: String
    let logger: Logger

    /// - Parameter last: The id of the newest event in the log, where that is known.
    /// - Returns: The event's id in the log.
    /// - Throws: `EventBus.LeaseLost`; `Failure` while Redis is away.
    func publish(_ event: MailEvent, after last: String?) async throws -> String {
        let publisher = EventBus.Publisher(
            lease: Leases.name(event.account), holder: holder, ttl: Leases.life, last: last)
        let id = try await bus.publish(event, by: publisher).id
        webhooks.note(event.account)
        return id
    }

    /// To the listeners of this replica alone, for now.
    func deliverHere(_ event: MailEvent) {
        logger.notice("Event delivered on this replica alone", metadata: ["account": "\(event.account)"])
        subscribers.deliver(event)
    }
}
