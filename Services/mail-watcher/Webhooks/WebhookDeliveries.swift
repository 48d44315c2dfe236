import HTTPService
import Logging
import MailModel
import Metrics
import NIOConcurrencyHelpers
import ServiceLifecycle
import Storage

/// Tells the events that wait in the database, and again those that were not taken: each time later, in the end not at
/// all unless somebody asks for it. A slow receiver holds up no other.
final class WebhookDeliveries: Service {
    struct Retries: Sendable {
        /// Before the second attempt; each later one waits five times as long, up to half a day.
        var first: Duration
        var attempts: Int

        private static let longest = Duration.seconds(43_200)

        /// - Parameter attempts: Those made.
        /// - Returns: nil when it was the last.
        func delay(after attempts: Int) -> Duration? {
            guard attempts < self.attempts else { return nil }
            var delay = first
            for _ in 1..<max(1, attempts) where delay < Self.longest { delay *= 5 }
            return min(delay, Self.longest) * Double.random(in: 0.9...1.1)
        }
    }

    private static let concurrency = 64
    private static let perWebhook = 8
    private static let pause = Duration.milliseconds(250)
    /// Milliseconds for which what was given up is kept.
    private static let deadLife: Int64 = 30 * 24 * 3600 * 1000

    private let webhooks: WebhookStore
    private let sender: WebhookSender
    private let retries: Retries
    private let logger: Logger
    private let waiting = Gauge(label: "webhook_deliveries_waiting")
    private let dead = Gauge(label: "webhook_deliveries_dead")
    /// Calls under way, by webhook.
    private let running = NIOLockedValueBox<[Int64: Int]>([:])

    init(webhooks: WebhookStore, sender: WebhookSender, retries: Retries, logger: Logger) {
        self.webhooks = webhooks
        self.sender = sender
        self.retries = retries
        self.logger = logger
        Counter.declare("webhook_calls_total", by: "outcome", ["taken", "unreachable", "refused_by_receiver"])
    }

    /// Until shutdown; calls under way are let finish.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            var cleanAt = ContinuousClock.now + .seconds(60), countAt = ContinuousClock.now
            while !Task.isShuttingDownGracefully, !Task.isCancelled {
                let claimed = await claim()
                for delivery in claimed {
                    running.withLockedValue { $0[delivery.webhookID, default: 0] += 1 }
                    group.addTask { await self.deliver(delivery) }
                }
                if cleanAt <= .now {
                    cleanAt = .now + .seconds(3600)
                    await clean()
                }
                if countAt <= .now {
                    countAt = .now + .seconds(30)
                    await count()
                }
                if claimed.isEmpty { await Pause.until(Self.pause) }
            }
        }
    }

    private func count() async {
        guard let backlog = try? await webhooks.backlog() else { return }
        waiting.record(backlog.waiting)
        dead.record(backlog.dead)
    }

    /// Forgets what is dead for long, and seals secrets from before there was a key.
    private func clean() async {
        do {
            try await webhooks.clean(deadSince: Timestamp.now() - Self.deadLife)
            try await webhooks.changeSecrets(sender.secrets.seal)
        } catch { logger.notice("Webhooks not cleaned up", metadata: ["error": "\(error)"]) }
    }

    private func claim() async -> [WebhookStore.Delivery] {
        let running = running.withLockedValue { $0 }
        let free = Self.concurrency - running.values.reduce(0, +)
        guard free > 0 else { return [] }
        let busy = running.filter { $0.value >= Self.perWebhook }.map(\.key)
        do { return try await webhooks.claim(atMost: min(free, Self.perWebhook), except: busy) } catch {
            logger.debug("Webhook deliveries not read", metadata: ["error": "\(error)"])
            return []
        }
    }

    private func deliver(_ delivery: WebhookStore.Delivery) async {
        let outcome = await sender.send(
            delivery.body, id: "msg_\(delivery.id)", to: delivery.url, secret: delivery.secret)
        if outcome.error == "secret_unopenable" {
            logger.error("A webhook's secret was sealed with another key than ours; see XYNAP_WEBHOOKS_KEY_FILE")
        }
        Counter(label: "webhook_calls_total", dimensions: [("outcome", outcome.error ?? "taken")]).increment()
        do { try await note(outcome, of: delivery) } catch {
            // The lease ends by itself: it is told again.
            logger.notice("Outcome of a webhook call not noted", metadata: ["error": "\(error)"])
        }
        running.withLockedValue { running in
            running[delivery.webhookID] = running[delivery.webhookID].flatMap { $0 > 1 ? $0 - 1 : nil }
        }
    }

    private func note(_ outcome: WebhookSender.Outcome, of delivery: WebhookStore.Delivery) async throws {
        guard let error = outcome.error else {
            return try await webhooks.delivered(delivery, status: outcome.status ?? 200)
        }
        let delay = outcome.isGone ? nil : retries.delay(after: delivery.attempts)
        let retryAt = delay.map { Timestamp.now() + $0.components.seconds * 1000 + $0.milliseconds }
        try await webhooks.failed(delivery, status: outcome.status, error: error, retryAt: retryAt)
        if outcome.isGone { try await webhooks.disable(delivery.webhookID) }
    }
}

extension Duration {
    /// Below the second.
    fileprivate var milliseconds: Int64 { components.attoseconds / 1_000_000_000_000_000 }
}
