import EventBus
import Logging

/// Who watches a mailbox among the replicas: one lease each, in Redis.
struct Leases: Sendable {
    /// How long a replica that died keeps its mailboxes from the others.
    private static let life = Duration.seconds(10)
    private static let renewal = Duration.seconds(3)

    let bus: EventBus
    /// This replica: unique, and the same after a restart.
    let holder: String
    let logger: Logger

    /// Runs the watch whenever this replica holds the lease, until the task is cancelled.
    func whileHeld(_ account: String, watch: MailboxWatch) async {
        while !Task.isCancelled {
            guard await acquire(account) else {
                await watch.isWatchedElsewhere()
                try? await Task.sleep(for: .seconds(2) * Double.random(in: 0.5...1))
                continue
            }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await watch.run() }
                group.addTask { await renew(account) }
                await group.next()
                group.cancelAll()
            }
            _ = try? await bus.releaseLease(name: name(account), holder: holder)
        }
    }

    /// Without Redis every replica watches for its own subscribers: they hear events twice rather than never.
    private func acquire(_ account: String) async -> Bool {
        do {
            return try await bus.acquireLease(name: name(account), holder: holder, ttl: Self.life)
        } catch { return !Task.isCancelled }
    }

    /// Returns when another replica has the lease, or when cancelled.
    private func renew(_ account: String) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.renewal)
            guard await acquire(account) else { return }
        }
    }

    private func name(_ account: String) -> String { "watch.\(account)" }
}
