import Credentials
import EventBus
import MailModel
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
    /// - Throws: `Failure` `tooManyRequests` when there are too many.
    func open(_ subscriber: Subscriber) async throws -> OpenStream {
        let stream = try OpenStream(Listener(subscriber, capacity: queue), in: subscribers, bus: platform.bus)
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
    /// - Parameter since: The last event that the client heard; what came after is replayed first.
    func serve(since: EventID?, send: (Listener.Item) async throws -> Void) async throws {
        try await withGracefulShutdownHandler {
            if let since { try await replay(since: since, send: send) }
            try await listener.forEach(send)
        } onGracefulShutdown: { [listener] in
            listener.end(.shutdown)
        }
    }

    /// Live events queue up meanwhile; those that are in the log too are then passed over.
    private func replay(since: EventID, send: (Listener.Item) async throws -> Void) async throws {
        for account in listener.subscriber.accounts {
            let answer = try? await bus.replay(account: account, since: since.description, limit: Self.replayLimit)
            guard case .events(let events) = answer else {
                try await send(.event(MailEvent(account: account, at: Timestamp.now(), kind: .resync)))
                continue
            }
            for event in events {
                listener.replayed(event)
                try await send(.event(event))
            }
        }
    }
}
