import Credentials
import HTTPService
import MailModel
import NIOConcurrencyHelpers
import Platform
import Redis
import Storage
import WebSockets

/// Tells clients what happens in their mailboxes, the moment it happens.
@main struct MailWatcher: ServiceProgram {
    static let name = "mail-watcher"
    static let defaultPort = 8084
    /// Thousands of mailboxes wait here, each with 2 kB less of the heap.
    static let sharesHeap = true
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static func assemble(_ service: ServiceAssembly, settings: WatchSettings) async throws {
        let logger = service.logger
        let instance = Instance.name(port: service.server.port)
        let subscribers = Subscribers(capacity: settings.subscribers)
        let (revoked, revoke) = AsyncStream<Watchlist.Revoked>.makeStream(bufferingPolicy: .bufferingNewest(10_000))
        let keys = KeySet(url: settings.jwksURL, issuer: settings.platform.issuer, logger: logger)
        let platform = Platform(service, settings: settings.platform, keys: keys) { revocations in
            subscribers.revoke(revocations)
            for revocation in revocations {
                for account in revocation.mailboxes { revoke.yield((account.lowercased(), revocation.notBefore)) }
            }
        }
        let redis = RedisClient(settings.platform.redis, logger: logger)
        let feed = EventFeed(bus: platform.bus, subscribers: subscribers)
        let accounts = platform.database.accounts
        let store = platform.database.webhooks
        let webhookFeed = WebhookFeed(bus: platform.bus, webhooks: store, logger: logger)
        let sender = WebhookSender(
            connector: try PublicConnector(allowed: settings.webhooks.allowed),
            secrets: WebhookSecrets(box: try settings.webhooks.keyFile.map { try SecretBox(file: $0) }),
            timeout: settings.webhooks.timeout)
        let choice = MethodChoice(forced: settings.method), metrics = WatchMetrics()
        let replicas = NIOLockedValueBox(Replicas(own: instance))
        let tools = WatchTools(
            server: settings.imap, reconcileEvery: settings.reconcileEvery, pollEvery: settings.pollEvery,
            tokens: MailTokenSource(authURL: settings.authURL, serviceToken: settings.serviceToken), choice: choice,
            memory: WatchMemory(redis: redis, bus: platform.bus, logger: logger),
            announcer: Announcer(
                bus: platform.bus, subscribers: subscribers, webhooks: webhookFeed, holder: instance, logger: logger),
            turnstile: Turnstile(width: settings.logins), metrics: metrics, logger: logger)
        let watchesAll = settings.watchesAll
        let watchlist = Watchlist(
            tools: tools, subscribers: subscribers, linger: settings.linger,
            leases: Leases(bus: platform.bus, holder: instance, logger: logger), revoked: revoked, replicas: replicas
        ) { watchesAll ? Set(try await accounts.activeEmails()) : webhookFeed.accounts }
        let pushes = Pushes(
            bus: platform.bus, watchlist: watchlist, choice: choice, metrics: metrics, replicas: replicas)
        let tickets = Tickets(redis: redis)
        let streams = EventStreams(
            platform: platform, subscribers: subscribers, feed: feed, watchlist: watchlist, queue: settings.queue)

        // Ended in the reverse order: the listeners, then what they hear, then the watches.
        service.run(watchlist)
        service.run(pushes)
        service.run(webhookFeed)
        service.run(
            WebhookDeliveries(
                webhooks: store, sender: sender, retries: settings.webhooks.retries, logger: logger))
        service.run(feed)
        service.run(subscribers)
        service.serverBuilder = .http1WithWebSockets(
            configuration: .init(pingInterval: settings.pingEvery, idleTimeout: service.server.idleTimeout))

        EventRoutes(audience: Audience(platform: platform, tickets: tickets), tickets: tickets, streams: streams)
            .add(to: service.router)
        PushRoutes(secret: settings.pushSecret, pushes: pushes).add(to: service.router)
        let callers = service.router.with(deadline: WebhookRoutes.deadline).authenticated(platform.authenticator)
        WebhookRoutes(
            webhooks: store, sender: sender, feed: webhookFeed,
            watch: { await watchlist.watch($0, patience: .seconds(3)) },
            allowsInsecure: settings.webhooks.allowsInsecure
        ).add(to: callers, once: callers.once(platform.idempotency))
        StatusRoutes(platform: platform, watchlist: watchlist, subscribers: subscribers, instance: instance)
            .add(to: service.router)
    }
}
