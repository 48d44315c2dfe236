import EventBus
import Logging
import NIOConcurrencyHelpers

/// Who watches a mailbox among the replicas: one lease each, in Redis, those of a replica kept by the hundred.
struct Leases: Sendable {
    /// How long a replica that died keeps its mailboxes from the others, who ask every second.
    static let life = Duration.seconds(8)

    let bus: EventBus
    /// This replica: unique, and the same after a restart.
    let holder: String
    let logger: Logger
    /// What others had when Redis last answered.
    private let others = NIOLockedValueBox<Set<String>>([])

    init(bus: EventBus, holder: String, logger: Logger) {
        self.bus = bus
        self.holder = holder
        self.logger = logger
    }

    /// Takes what nobody has, keeps what is ours.
    ///
    /// Without Redis every replica watches for its own subscribers what no other was watching: what it announces then goes
    /// to them alone. Two that announce one mailbox would give its mail different ids.
    /// - Returns: The accounts to be watched here; taken are those that another may have watched meanwhile.
    func hold(_ accounts: [String]) async -> EventBus.HeldLeases {
        guard !accounts.isEmpty else { return .init() }
        do {
            let names = try await bus.holdLeases(names: accounts.map(Self.name), holder: holder, ttl: Self.life)
            let held = EventBus.HeldLeases(
                kept: Set(accounts.filter { names.kept.contains(Self.name($0)) }),
                taken: Set(accounts.filter { names.taken.contains(Self.name($0)) }))
            others.withLockedValue { others in
                others.formUnion(accounts)
                others.subtract(held.kept)
                others.subtract(held.taken)
            }
            return held
        } catch {
            logger.debug("Leases not held", metadata: ["error": "\(error)"])
            return .init(kept: Set(accounts).subtracting(others.withLockedValue { $0 }))
        }
    }

    /// Forgets who had it.
    func forget(_ account: String) { others.withLockedValue { _ = $0.remove(account) } }

    /// Lets others have them at once.
    func release(_ accounts: [String]) async {
        for account in accounts {
            do { try await bus.releaseLease(name: Self.name(account), holder: holder) } catch { return }
        }
    }

    static func name(_ account: String) -> String { "watch.\(account)" }
}
