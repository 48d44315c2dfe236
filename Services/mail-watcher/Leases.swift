import EventBus
import Logging
import NIOConcurrencyHelpers

/// Who watches a mailbox among the replicas: one lease each, in Redis, those of a replica kept by the hundred.
struct Leases: Sendable {
    /// How long a replica that died keeps its mailboxes from the others, who ask every second.
    static let life = Duration.seconds(8)
    /// How many are kept with one request. It is made every second: what it needs of memory is never free for long.
    private static let atOnce = 200

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
        var held = EventBus.HeldLeases()
        var rest = accounts[...]
        do {
            while !rest.isEmpty {
                let part = rest.prefix(Self.atOnce)
                let names = try await bus.holdLeases(names: part.map(Self.name), holder: holder, ttl: Self.life)
                let kept = part.filter { names.kept.contains(Self.name($0)) }
                let taken = part.filter { names.taken.contains(Self.name($0)) }
                others.withLockedValue { others in
                    others.formUnion(part)
                    others.subtract(kept)
                    others.subtract(taken)
                }
                held.kept.formUnion(kept)
                held.taken.formUnion(taken)
                rest = rest.dropFirst(Self.atOnce)
            }
        } catch {
            logger.debug("Leases not held", metadata: ["error": "\(error)"])
            // What was answered before stays so: that a lease was nobody's for a while is told once.
            held.kept.formUnion(Set(rest).subtracting(others.withLockedValue { $0 }))
        }
        return held
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
