import Credentials
import EventBus
import MailModel
import NIOCore
import Platform
import ServiceLifecycle

/// The life of one stream, whatever carries it: register, replay what was missed, then hear what comes.
struct EventStreams: Sendable {
    /// How long the answer to a client waits for its mailboxes to be watched.
    private static let patience = Duration.seconds(3)

    let platform: Platform
    let subscribers: Subscribers
    let feed: EventFeed
    let watchlist: Watchlist
    /// Events queued for each client.
    let queue: Int

    /// Registers a listener, and waits until its mailboxes are watched: what comes from now on is heard.
    ///
    /// A mailbox that cannot be watched just now does not keep the stream from opening.
    /// - Parameters:
    ///   - channel: The client's connection.
    ///   - wantsBeats: Whether the stream has to show that the connection lives. What does not is not waked for nothing.
    /// - Throws: `Failure` `tooManyRequests` when there are too many.
    func open(_ subscriber: Subscriber, on channel: any Channel, wantsBeats: Bool) async throws -> OpenStream {
        let listener = Listener(subscriber, capacity: queue, wantsBeats: wantsBeats, channel: channel)
        let stream = try OpenStream(listener, in: subscribers, bus: platform.bus)
        // Revoked between being checked and being added: nobody told the listener.
        if case .person(let token) = subscriber.identity, platform.revocations.isRevoked(token) {
            stream.listener.end(.revoked)
        }
        await feed.follow(subscriber.accounts)
        await watchlist.watch(subscriber.accounts, patience: Self.patience)
        return stream
    }
}

/// A listener that is registered for as long as this exists: also a response that is never written gives it up.
final class OpenStream: Sendable {
    /// Events replayed of one account; who missed more lists again.
    private static let replayLimit = 1000
    /// And of all accounts of a stream.
    private static let totalLimit = 4000

    let listener: Listener
    private let subscribers: Subscribers
    private let bus: EventBus

    init(_ listener: Listener, in subscribers: Subscribers, bus: EventBus) throws {
        self.listener = listener
        self.subscribers = subscribers
        self.bus = bus
        try subscribers.add(listener)
    }

    deinit { subscribers.remove(listener) }

    /// Sends everything to `send` until the listener ends, the client has gone or `send` throws.
    /// - Parameter since: The last events that the client heard; what came after is replayed first.
    func serve(since: Since?, send: (Listener.Item) async throws -> Void) async throws {
        try await withGracefulShutdownHandler {
            if let since { try await replay(since, send: send) }
            try await listener.forEach(send)
        } onGracefulShutdown: { [listener] in
            listener.end(.shutdown)
        }
    }

    /// All mailboxes in the order of the ids, so that a client that is interrupted comes back with the last one. Live
    /// events queue up meanwhile; those that are in the log too are then passed over.
    private func replay(_ since: Since, send: (Listener.Item) async throws -> Void) async throws {
        var missed: [(id: EventID, event: MailEvent)] = []
        for account in listener.accounts where listener.hears(account) {
            guard let events = await missedEvents(of: account, since), missed.count + events.count <= Self.totalLimit
            else {
                try await send(.event(MailEvent(account: account, at: Timestamp.now(), kind: .resync)))
                continue
            }
            missed += events.compactMap { event in EventID(event.id).map { (id: $0, event: event) } }
        }
        // Somebody's session may be revoked while this goes out, or was before it began.
        for (_, event) in missed.sorted(by: { $0.id < $1.id }) where listener.hears(event.account) {
            listener.replayed(event)
            try await send(.event(event))
        }
    }

    /// - Returns: nil when they are not all there, or too many.
    private func missedEvents(of account: String, _ since: Since) async -> [MailEvent]? {
        guard let id = since.id(of: account) else { return [] }
        let answer = try? await bus.replay(account: account, since: id.description, limit: Self.replayLimit + 1)
        guard case .events(let events) = answer, events.count <= Self.replayLimit else { return nil }
        return events
    }
}
