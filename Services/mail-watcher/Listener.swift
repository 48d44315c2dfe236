import MailModel
import NIOConcurrencyHelpers
import NIOCore

/// One client that hears events: a WebSocket or an event stream.
///
/// Its queue is bounded. When the client reads more slowly than events come, the queue gives way to one `mail.resync`
/// per account, so that a slow reader costs no memory and knows that it missed something.
final class Listener: Sendable {
    enum Item: Sendable, Equatable {
        case event(MailEvent)
        /// Nothing happened for a while: show that the connection lives.
        case beat
        /// The last item.
        case end(End)
    }

    enum End: Sendable, Equatable {
        /// The session behind it was revoked.
        case revoked
        /// The access token's time is over.
        case expired
        /// The service is being stopped.
        case shutdown
        /// The client is gone.
        case left
    }

    private struct State: Awaited {
        /// Accounts that were taken away.
        var revoked: Set<String> = []
        var queue: [MailEvent] = []
        /// Accounts whose queued events were dropped.
        var behind: Set<String> = []
        var beat = false
        var end: End?
        /// The newest live event handed out, by account; what is not newer is a repetition.
        var last: [String: EventID] = [:]
        /// The newest event of each account that was replayed: from the log, whose ids only grow.
        var replayed: [String: EventID] = [:]
        /// Something happened since the client was last served.
        var isWoken = false
        var waiter: UnsafeContinuation<Void, Never>?
    }

    /// By address, in lower case.
    let accounts: [String]
    let session: StreamSession
    /// Milliseconds since 1970.
    let opened = Timestamp.now()
    private let capacity: Int
    /// Whether the client is to see by a `beat` that the connection lives.
    private let wantsBeats: Bool
    /// nil where there is no connection.
    private let channel: (any Channel)?
    private let state = NIOLockedValueBox(State())

    /// - Parameter channel: The client's connection.
    init(_ subscriber: Subscriber, capacity: Int, wantsBeats: Bool = false, channel: (any Channel)? = nil) {
        accounts = subscriber.accounts
        session = StreamSession(subscriber.identity)
        self.capacity = capacity
        self.wantsBeats = wantsBeats
        self.channel = channel
    }

    var hasEnded: Bool { state.withLockedValue { $0.end != nil } }

    /// What is said last to a session that was revoked: one event, unless each of its accounts was told to be.
    var farewell: MailEvent? {
        let revoked = state.withLockedValue { $0.revoked }
        return accounts.first { !revoked.contains($0) }.map(Self.revoked)
    }

    /// Whether what happened in this account is still told: also at a shutdown, before which nothing is left out.
    func hears(_ account: String) -> Bool {
        state.withLockedValue { ($0.end == nil || $0.end == .shutdown) && !$0.revoked.contains(account) }
    }

    /// Events that wait for the client.
    var queued: Int { state.withLockedValue { $0.queue.count } }

    func offer(_ event: MailEvent) {
        let accepted = state.withLockedValue { state -> Bool in
            guard state.end == nil, accounts.contains(event.account), !state.revoked.contains(event.account) else {
                return false
            }
            if state.queue.count >= capacity {
                let partings = state.queue.filter { $0.kind == .sessionRevoked }
                state.behind.formUnion(state.queue.map(\.account))
                state.behind.subtract(partings.map(\.account))
                state.queue = partings
            }
            if state.behind.contains(event.account) { return true }
            state.queue.append(event)
            return true
        }
        if accepted { state.wake() }
    }

    func beat() {
        guard wantsBeats else { return }
        state.wake { state in
            state.beat = true
            return true
        }
    }

    /// Ends it; what is queued is dropped, since who is revoked hears nothing more, but which accounts were taken away.
    func end(_ reason: End) {
        state.withLockedValue { state in
            guard state.end == nil else { return }
            state.end = reason
            if reason != .shutdown {
                state.queue.removeAll { $0.kind != .sessionRevoked }
                state.behind = []
            }
        }
        state.wake()
    }

    /// Takes one account away and tells so; without accounts it ends.
    func revoke(account: String) {
        let isEmpty = state.withLockedValue { state -> Bool in
            guard state.end == nil, accounts.contains(account), state.revoked.insert(account).inserted else {
                return false
            }
            state.queue.removeAll { $0.account == account }
            state.behind.remove(account)
            state.queue.append(Self.revoked(account))
            return state.revoked.count == accounts.count
        }
        if isEmpty { end(.revoked) } else { state.wake() }
    }

    private static func revoked(_ account: String) -> MailEvent {
        MailEvent(account: account, at: Timestamp.now(), kind: .sessionRevoked)
    }

    /// Cuts off a client that takes nothing, not even the end.
    func cut() { channel?.close(promise: nil) }

    /// What was replayed counts as heard.
    func replayed(_ event: MailEvent) {
        guard let id = EventID(event.id) else { return }
        state.withLockedValue { $0.replayed[event.account] = max($0.replayed[event.account] ?? id, id) }
    }

    /// Hands the items to `body` in order until the end, or until `body` throws.
    func forEach(_ body: (Item) async throws -> Void) async throws {
        while await isWoken() {
            if try await drain(body) { return }
        }
    }

    /// Waits until there may be something for the client.
    /// - Returns: False when the task is cancelled.
    private func isWoken() async -> Bool {
        await state.wait()
        state.withLockedValue { $0.isWoken = false }
        return !Task.isCancelled
    }

    /// Apart, so that a client which hears nothing does not hold room for an event all the while.
    /// - Returns: Whether that was the end.
    @inline(never) private func drain(_ body: (Item) async throws -> Void) async throws -> Bool {
        while let item = pop() {
            try await body(item)
            if case .end = item { return true }
        }
        return false
    }

    func pop() -> Item? {
        state.withLockedValue { state in
            while !state.queue.isEmpty {
                let event = state.queue.removeFirst()
                guard let id = EventID(event.id) else {
                    // What was heard may have had ids of this replica's own, and what comes smaller ones.
                    if event.kind == .resync { state.last[event.account] = nil }
                    return .event(event)
                }
                if [state.last, state.replayed].contains(where: { $0[event.account].map { id <= $0 } ?? false }) {
                    continue
                }
                state.last[event.account] = id
                return .event(event)
            }
            if let account = state.behind.popFirst() {
                // Without an id: with the last one heard it would be a repetition.
                return .event(MailEvent(account: account, at: Timestamp.now(), kind: .resync))
            }
            if let end = state.end { return .end(end) }
            if state.beat {
                state.beat = false
                return .beat
            }
            return nil
        }
    }
}
