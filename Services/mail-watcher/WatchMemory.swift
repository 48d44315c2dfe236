import EventBus
import FoundationEssentials
import Logging
import MailModel
import Redis

/// What watches remember beyond their own life, in Redis: how far each folder was announced. So what comes while the
/// service restarts, or while another replica takes over, is announced all the same.
struct WatchMemory: Sendable {
    /// Longer than the log of events lives, whose ids clients come back with; renewed while it is watched.
    private static let life = Duration.seconds(30 * 86_400)
    /// The field of the newest event; no folder has an empty name.
    private static let lastEvent = ""
    /// What the log says when it is empty.
    private static let noEvent = "0-0"

    let redis: RedisClient
    let bus: EventBus
    let logger: Logger

    /// The watch as it was left, and the id of the newest event; a new one when nothing is remembered or Redis is away,
    /// which tells to list again where events may be missing.
    func recall(_ account: String) async -> (watch: Watch, lastEvent: String?) {
        do {
            let fields = try await redis.command("HGETALL", key(account)).array ?? []
            var states: [String: FolderState] = [:]
            var lastEvent: String?
            for index in stride(from: 0, to: fields.count - 1, by: 2) {
                guard let folder = fields[index].string, let bytes = fields[index + 1].bytes else { continue }
                if folder == Self.lastEvent {
                    lastEvent = fields[index + 1].string
                } else if let state = try? JSONDecoder().decode(FolderState.self, from: Data(bytes)) {
                    states[folder] = state
                }
            }
            var watch = Watch(states: states)
            if let lastEvent { await catchUp(&watch, account, since: lastEvent) }
            let latest = try await bus.latestID(account: account)
            if states.isEmpty, latest != Self.noEvent { watch = Watch(hasGap: true) }
            return (watch, latest)
        } catch {
            logger.notice("Watch begun without memory", metadata: ["account": "\(account)", "error": "\(error)"])
            return (Watch(hasGap: true), nil)
        }
    }

    /// The id of the newest event; empty when there is none.
    /// - Throws: `Failure` while Redis is away.
    func latestEvent(of account: String) async throws -> String {
        let latest = try await bus.latestID(account: account)
        return latest == Self.noEvent ? "" : latest
    }

    /// What was announced just before its watch died is in the log, though it was not remembered.
    private func catchUp(_ watch: inout Watch, _ account: String, since: String) async {
        guard case .events(let events) = try? await bus.replay(account: account, since: since, limit: 2000) else {
            return
        }
        for case .newMessage(let folder, let message) in events.map(\.kind) {
            watch.announced(folder, uid: message.uid)
        }
    }

    /// Keeps the states; nil forgets a folder.
    /// - Parameter lastEvent: The id of the newest event that the states take into account.
    /// - Returns: False while Redis is away; they are to be given again.
    func remember(_ account: String, _ changes: [String: FolderState?], lastEvent: String?) async -> Bool {
        do {
            var set: [any RedisArgument] = ["HSET", key(account)]
            if let lastEvent { set += [Self.lastEvent, lastEvent] as [any RedisArgument] }
            var forget: [any RedisArgument] = ["HDEL", key(account)]
            for (folder, state) in changes {
                if let state {
                    set += [folder, Array(try JSONEncoder().encode(state))] as [any RedisArgument]
                } else {
                    forget.append(folder)
                }
            }
            let expire: [any RedisArgument] = ["EXPIRE", key(account), Self.life.components.seconds]
            _ = try await redis.pipeline([set, forget].filter { $0.count > 2 } + [expire])
            return true
        } catch {
            logger.debug("State of a watch not remembered", metadata: ["account": "\(account)", "error": "\(error)"])
            return false
        }
    }

    private func key(_ account: String) -> String { "mail.watch.\(account)" }
}
