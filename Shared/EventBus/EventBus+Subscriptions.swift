import Logging
public import MailModel
import Redis

extension EventBus {
    /// How long a follower waits for Redis before it is left to a later `mail.resync`.
    private static let patience: Duration = .seconds(2)
    private static let replayPage = 500
    /// To read the log, when messages arrive again.
    private static let attempts = 20

    /// Tells the accounts' events from now on, in order and each once: what is published after this returns is told, or stood
    /// for by `mail.resync` (without an id), when events may be missing that are not in the log any more. To miss nothing,
    /// follow first, then `replay`, and skip what comes with an id already seen. Ends with `unfollow`, or with the bus.
    ///
    /// - Parameter tell: Called by the bus itself with one event after the other, so that neither a queue nor a task waits
    ///   for each account; nothing else is heard meanwhile, so it must not wait. One for each account: it takes the place of
    ///   an earlier.
    public func follow(
        _ accounts: [String], isolation: isolated (any Actor)? = #isolation,
        tell: @escaping @Sendable (MailEvent) -> Void
    ) async {
        let waits = accounts.compactMap { hub.follow($0, tell) }
        if waits.isEmpty { return }
        await Self.wait(for: waits)
        for account in accounts { hub.markLate(account) }
    }

    public func unfollow(_ account: String) { hub.unfollow(account) }

    /// Until messages arrive on all of them, or patience ends.
    private static func wait(for lives: [GapQueue<Void>]) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { for live in lives { for await _ in live {} } }
            tasks.addTask { try? await Task.sleep(for: Self.patience) }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    func dispatch(_ event: RedisSubscriber.Event) async {
        switch event {
        case .subscribed(let channel):
            hub.connected()
            await subscribed(to: channel)
        case .message(Self.pushChannel, let payload): pushes.append(payload)
        case .message(Self.revocationChannel, Self.rereadMessage): revocations.reread()
        case .message(Self.revocationChannel, let payload):
            do { revocations.revoked(try EventJSON.decode(Revocation.self, from: payload)) } catch {
                logger.warning("unreadable revocation", metadata: ["error": "\(error)"])
                revocations.reread()
            }
        case .message(_, let payload):
            do { hub.deliver(try EventJSON.decode(MailEvent.self, from: payload)) } catch {
                logger.warning("unreadable event", metadata: ["error": "\(error)"])
            }
        case .lost(.disconnected): hub.disconnected()
        case .lost(.overflow):
            revocations.reread()
            pushes.append([])
            // Also of those that are not live: that they are subscribed again may be among what was dropped.
            hub.connected()
            for account in hub.accounts { await becameLive(account) }
        }
    }

    private func subscribed(to channel: String) async {
        switch channel {
        case Self.revocationChannel: revocations.reread()
        case Self.pushChannel: pushes.append([])
        default: if let account = Self.account(ofChannel: channel) { await becameLive(account) }
        }
    }

    /// Makes up for what was missed while messages did not arrive. Commands have a connection of their own, which may be
    /// back a moment later.
    private func becameLive(_ account: String) async {
        for attempt in 1...Self.attempts {
            do { return try await makeUp(account) } catch {
                guard attempt == Self.attempts || Task.isCancelled else {
                    try? await Task.sleep(for: .milliseconds(100))
                    continue
                }
                logger.warning("event log unreadable", metadata: ["error": "\(error)"])
                hub.deliver(.resync(account))
                return hub.becameLive(account, upTo: nil)
            }
        }
    }

    private func makeUp(_ account: String) async throws {
        guard let missing = hub.missing(of: account) else { return }
        if case .after(let id) = missing { return try await heal(account, after: id) }
        let latest = StreamID(try await latestID(account: account))
        if case .unknown = missing { hub.deliver(.resync(account)) }
        hub.becameLive(account, upTo: latest)
    }

    private func heal(_ account: String, after id: StreamID) async throws {
        var since = id
        while true {
            guard
                case .events(let events) = try await replay(account: account, since: "\(since)", limit: Self.replayPage)
            else {
                hub.deliver(.resync(account))
                return hub.becameLive(account, upTo: StreamID(try await latestID(account: account)))
            }
            for event in events { hub.deliver(event, isReplay: true) }
            guard events.count == Self.replayPage, let last = events.last.flatMap({ StreamID($0.id) }) else { break }
            since = last
        }
        hub.becameLive(account, upTo: nil)
    }

    private static func account(ofChannel channel: String) -> String? {
        let prefix = Self.channel("")
        return channel.hasPrefix(prefix) ? String(channel.dropFirst(prefix.count)) : nil
    }
}

extension MailEvent {
    fileprivate static func resync(_ account: String) -> MailEvent {
        MailEvent(account: account, at: Timestamp.now(), kind: .resync)
    }
}
