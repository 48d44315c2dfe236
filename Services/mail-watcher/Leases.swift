import EventBus
import Logging

/// Who watches a mailbox among the replicas: one lease each, in Redis, all of a replica kept with one request.
struct Leases: Sendable {
    /// How long a replica that died keeps its mailboxes from the others, who ask every second.
    static let life = Duration.seconds(8)

    let bus: EventBus
    /// This replica: unique, and the same after a restart.
    let holder: String
    let logger: Logger

    /// Takes what nobody has, keeps what is ours.
    ///
    /// Without Redis every replica watches for its own subscribers: what it announces then goes to them alone.
    /// - Returns: The accounts to be watched here.
    func hold(_ accounts: [String]) async -> Set<String> {
        guard !accounts.isEmpty else { return [] }
        do {
            let names = try await bus.holdLeases(names: accounts.map(Self.name), holder: holder, ttl: Self.life)
            return Set(accounts.filter { names.contains(Self.name($0)) })
        } catch {
            logger.debug("Leases not held", metadata: ["error": "\(error)"])
            return Set(accounts)
        }
    }

    /// Lets others have them at once.
    func release(_ accounts: [String]) async {
        for account in accounts {
            do { try await bus.releaseLease(name: Self.name(account), holder: holder) } catch { return }
        }
    }

    static func name(_ account: String) -> String { "watch.\(account)" }
}
