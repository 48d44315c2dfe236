import EventBus
import Logging
import MailModel
import NIOConcurrencyHelpers

/// Sends events on their way: through Redis to every replica, or, while Redis is away, to this replica's listeners.
final class Announcer: Sendable {
    private struct State {
        /// The newest id given to an event without Redis, by account.
        var local: [String: EventID] = [:]
    }

    private let bus: EventBus
    private let subscribers: Subscribers
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(bus: EventBus, subscribers: Subscribers, logger: Logger) {
        self.bus = bus
        self.subscribers = subscribers
        self.logger = logger
    }

    /// Announces; it never fails, and takes no longer than the bus's time-out.
    /// - Returns: The event's id in the log; nil while Redis is away.
    func announce(_ account: String, _ kind: MailEvent.Kind) async -> String? {
        let event = MailEvent(account: account, at: Timestamp.now(), kind: kind)
        do {
            // What went by without the log is missing in it: whoever replays must list again.
            if let missed = state.withLockedValue({ $0.local[account] }) {
                _ = try await bus.publish(MailEvent(account: account, at: Timestamp.now(), kind: .resync))
                state.withLockedValue { if $0.local[account] == missed { $0.local[account] = nil } }
            }
            return try await bus.publish(event).id
        } catch {
            logger.notice(
                "Event delivered on this replica alone", metadata: ["account": "\(account)", "error": "\(error)"])
            subscribers.deliverLocally(locally(event))
            return nil
        }
    }

    private func locally(_ event: MailEvent) -> MailEvent {
        var event = event
        let now = UInt64(clamping: Timestamp.now())
        event.id = state.withLockedValue { state in
            let id = (state.local[event.account] ?? EventID(milliseconds: 0)).next(at: now)
            state.local[event.account] = id
            return id.description
        }
        return event
    }
}
