import HTTPService
import IMAP
import NIOCore
import NIOSSL
import Platform

/// What mail-watcher can be told from outside.
struct WatchSettings: ServiceSettings {
    let platform: PlatformSettings
    let jwksURL: String
    let authURL: String
    let serviceToken: String
    let imap: IMAPConfiguration
    /// Watch every active mailbox, not only those with a subscriber.
    let watchesAll: Bool
    /// How much longer than its last subscriber a mailbox is watched.
    let linger: Duration
    let reconcileEvery: Duration
    let pollEvery: Duration
    /// How the mail server is heard; nil finds out.
    let method: WatchStatus.Method?
    /// Logins at a time.
    let logins: Int
    /// What the mail server's pushes carry; nil refuses them.
    let pushSecret: String?
    let subscribers: Int
    let queue: Int
    /// How often the client of a WebSocket is asked for a sign of life.
    let pingEvery: Duration
    let webhooks: Webhooks

    /// How webhooks are called.
    struct Webhooks: Sendable {
        let timeout: Duration
        let retries: WebhookDeliveries.Retries
        /// Where the key is that secrets are sealed with; nil keeps them as they are.
        let keyFile: String?
        /// Whether URLs without TLS are taken.
        let allowsInsecure: Bool
        /// What may be called beside the Internet.
        let allowed: PublicAddresses
    }

    init(_ read: SettingsReader) {
        platform = PlatformSettings(read)
        jwksURL = read.string("jwks.url", "Where auth-server publishes the keys of its tokens")
        authURL = read.string("auth.url", "Base URL of auth-server, asked for mail tokens")
        serviceToken = read.secret("service.token", "Our service token (xs_…), with the scope auth:mail-token")
        imap = Self.imap(read)
        watchesAll =
            read.choice(
                "watch", of: ["subscribed", "all"], default: "subscribed", "Which mailboxes are watched") == "all"
        linger = read.duration(
            "watch.linger", default: .seconds(300), "How much longer than its last subscriber a mailbox is watched")
        reconcileEvery = read.duration(
            "watch.reconcile", default: .seconds(20), "How often a mailbox is looked at though nothing was heard of it")
        pollEvery = read.duration(
            "watch.poll", default: .seconds(60), in: .seconds(1)...(.seconds(3600)),
            "How often a mailbox is looked at that is heard by push, or by looking alone")
        method = WatchStatus.Method(
            rawValue: read.choice(
                "watch.method", of: ["auto", "idle", "push", "poll"], default: "auto",
                "How mailboxes are heard; auto takes push where it comes, else IDLE, else looks"))
        logins = read.int(
            "watch.logins", default: 32, in: 1...10_000, "Logins to the IMAP server that may run at a time")
        pushSecret = read.optionalSecret(
            "push.secret", "What the mail server's pushes carry; without it they are refused")
        subscribers = read.int(
            "events.subscribers", default: 20_000, in: 1...1_000_000, "WebSockets and event streams open at once")
        queue = read.int(
            "events.queue", default: 1024, in: 8...65_536, "Events queued for a slow reader before it must list again")
        pingEvery = read.duration(
            "events.ping", default: .seconds(30), in: .milliseconds(100)...(.seconds(300)),
            "How often a WebSocket's client is asked for a sign of life; one that gives none until the next is cut off")
        webhooks = Self.webhooks(read)
    }

    private static func webhooks(_ read: SettingsReader) -> Webhooks {
        let networks = read.list(
            "webhooks.allowed_networks", "Networks that webhooks may lead to beside the Internet, such as 10.1.0.0/16")
        return Webhooks(
            timeout: read.duration(
                "webhooks.timeout", default: .seconds(10), in: .seconds(1)...(.seconds(12)),
                "How long a call of a webhook may take"),
            retries: .init(
                first: read.duration(
                    "webhooks.retry", default: .seconds(5), in: .milliseconds(50)...(.seconds(3600)),
                    "How long after a failed call the next follows; each later one waits five times as long"),
                attempts: read.int(
                    "webhooks.attempts", default: 9, in: 1...20, "Calls after which an event is given up")),
            keyFile: read.optionalString(
                "webhooks.key.file",
                "File of the key that the secrets of webhooks are sealed with in the database (mode 0600), shared by all "
                    + "replicas; made at the first start. Without it they are kept as they are"),
            allowsInsecure: read.bool("webhooks.insecure", default: false, "Whether webhooks may use plain HTTP"),
            allowed: PublicAddresses(allowing: networks)
                ?? read.refuse("webhooks.allowed_networks", "must be networks like 10.1.0.0/16", .internet))
    }

    private static func imap(_ read: SettingsReader) -> IMAPConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = read.optionalString("tls.ca.file", "Certificates (PEM) that IMAP servers are verified with") {
            tls.trustRoots = .file(file)
        }
        let security = read.choice(
            "imap.security", of: ["plain", "tls", "starttls"], default: "tls", "How the connection to IMAP is protected"
        )
        // A hung server is noticed by the look after `watch.reconcile`, which waits this long at most: within 30 s.
        return IMAPConfiguration(
            host: read.string("imap.host", default: "127.0.0.1", "Host of the IMAP server"),
            port: read.int("imap.port", default: 993, in: 1...65_535, "Port of the IMAP server"),
            security: IMAPConfiguration.Security(rawValue: security) ?? .tls, tls: tls, connectTimeout: .seconds(3),
            commandTimeout: .seconds(8), commandLimit: .seconds(60), largestRead: 512)
    }
}
