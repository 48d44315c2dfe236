import EventBus
import MailModel
import NIOConcurrencyHelpers
import Redis
import ServiceLifecycle

/// Where pushes go: to the watch of the mailbox, here or in another replica. The mail server knows one address; whichever
/// replica it reaches hands on what is not its own.
final class Pushes: Service {
    private static let beat = "beat:", leave = "leave:"

    private let bus: EventBus
    private let watchlist: Watchlist
    private let choice: MethodChoice
    let metrics: WatchMetrics
    private let instance: String
    private let replicas: NIOLockedValueBox<Replicas>

    init(
        bus: EventBus, watchlist: Watchlist, choice: MethodChoice, metrics: WatchMetrics,
        replicas: NIOLockedValueBox<Replicas>
    ) {
        self.bus = bus
        self.watchlist = watchlist
        self.choice = choice
        self.metrics = metrics
        self.replicas = replicas
        instance = replicas.withLockedValue { $0.own }
    }

    /// One that came to this replica. Nobody watching the mailbox is nothing unusual.
    func take(_ body: [UInt8], _ push: PushNote) async {
        metrics.pushed(isGood: true)
        choice.pushHeard()
        if watchlist.hear(push) { return }
        await forward(body)
    }

    /// Takes what the other replicas were told, until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.showLife() }
                for await body in self.bus.pushes { self.hear(body) }
                group.cancelAll()
            }
        }
        await forward(Array((Self.leave + instance).utf8))
    }

    private func showLife() async {
        while !Task.isCancelled {
            await forward(Array((Self.beat + instance).utf8))
            if replicas.withLockedValue({ $0.someoneFellSilent(now: .now) }) {
                // Its pushes are lost: what is here is looked at soon, and heard by IDLE until pushes come again.
                choice.pushMissed()
                watchlist.pushesMissed()
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func hear(_ body: [UInt8]) {
        if body.isEmpty { return watchlist.pushesMissed() }
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        if text.hasPrefix(Self.beat) {
            let name = String(text.dropFirst(Self.beat.count))
            return replicas.withLockedValue { $0.hear(name, now: .now) }
        }
        if text.hasPrefix(Self.leave) {
            let name = String(text.dropFirst(Self.leave.count))
            return replicas.withLockedValue { $0.leave(name) }
        }
        guard let push = try? PushNote(body) else { return }
        choice.pushHeard()
        _ = watchlist.hear(push)
    }

    /// While Redis is away the other replicas find it with their next look.
    private func forward(_ body: [UInt8]) async {
        do { try await bus.forward(push: body) } catch {}
    }
}
