public import Logging
public import MailModel
public import Redis
public import ServiceLifecycle

/// What the services tell each other through Redis: mail events (live, and again from a log), revocations, and who does
/// what (leases).
///
/// | key | what |
/// | --- | --- |
/// | `mail.events.<account>` | channel: an event's JSON as it happens |
/// | `mail.log.<account>` | stream: the last events of the account |
/// | `auth.revocations` | channel: a revocation's JSON, or `"reread"`: look into the ledger |
/// | `mail.pushes` | channel: what a mail server pushed to one replica and another may want |
/// | `mail.lease.<name>` | the holder of a lease |
///
/// Everything asked of it throws `Failure.unavailable` or `.timeout` while Redis is away. `run()` must run for
/// subscriptions and for `RevocationFeed`; they come back by themselves, and what they missed meanwhile is replayed
/// from the log or told as `mail.resync`.
public final class EventBus: Service {
    static let revocationChannel = "auth.revocations"
    static let pushChannel = "mail.pushes"

    let redis: RedisClient
    let logger: Logger
    let hub: SubscriptionHub
    let revocations = RevocationSignals()
    /// What other replicas were told by the mail server, for one reader.
    public let pushes = GapQueue<[UInt8]>(capacity: 4096, gap: [])
    private let subscriber: RedisSubscriber
    private let logCapacity: Int
    private let logLifetime: Duration

    /// - Parameters:
    ///   - logCapacity: How many events of each account the log holds at least.
    ///   - logLifetime: How long the log of an account is kept after its last event.
    public init(
        redis configuration: Redis.Configuration, logCapacity: Int = 1000, logLifetime: Duration = .seconds(7 * 86_400),
        logger: Logger
    ) {
        self.logger = logger
        self.logCapacity = logCapacity
        self.logLifetime = logLifetime
        redis = RedisClient(configuration, logger: logger)
        subscriber = RedisSubscriber(
            configuration, channels: [Self.revocationChannel, Self.pushChannel], logger: logger)
        hub = SubscriptionHub(subscriber: subscriber)
    }

    /// Keeps the subscriptions until graceful shutdown; then they end.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await self.subscriber.run() }
            for await event in subscriber.events { await dispatch(event) }
            hub.finish()
            pushes.finish()
            try await tasks.waitForAll()
        }
    }

    /// One round trip to Redis.
    public func ping() async throws { try await mapped { try await redis.ping() } }

    /// Ends the connection for commands; for when nothing will be published any more.
    public func close() async { await redis.close() }

    /// Who publishes an event, by the lease that lets it: one who was frozen while another took over is refused.
    public struct Publisher: Sendable {
        let lease: String
        let holder: String
        let ttl: Duration
        let last: String?

        /// - Parameters:
        ///   - lease: The name of the lease.
        ///   - holder: As given to `acquireLease`.
        ///   - ttl: For how long a lease that nobody has is taken, so that no other publishes too.
        ///   - last: The id of the newest event in the log, where that is known: with another in its place, somebody else
        ///     had the lease meanwhile, and it is not taken.
        public init(lease: String, holder: String, ttl: Duration, last: String? = nil) {
            self.lease = lease
            self.holder = holder
            self.ttl = ttl
            self.last = last
        }
    }

    /// The lease that lets one publish is somebody else's, or was.
    public struct LeaseLost: Error { public init() {} }

    /// Gives the event its id, logs it and tells all subscribers, in one round trip; both or nothing happens.
    ///
    /// An event that has an id already keeps it, unless the log is further by now. It may be published again when nobody
    /// knows whether it was: it is then logged and told once.
    /// - Parameter publisher: Whose lease must not be another's.
    /// - Returns: The event with its id. After a `Failure` of kind `timeout` it may have been published.
    /// - Throws: `Failure`; `LeaseLost`.
    @discardableResult
    public func publish(_ event: MailEvent, by publisher: Publisher? = nil) async throws -> MailEvent {
        var event = event
        let wished = event.id.isEmpty ? "*" : event.id
        event.id = ""
        let (head, tail) = try EventJSON.aroundID(of: event)
        let lease = Self.leaseKey(publisher?.lease ?? "")
        let id = try await mapped {
            try await redis.command(
                "EVAL", Script.publish, 2, Self.logKey(event.account), lease, Self.channel(event.account), logCapacity,
                logLifetime.milliseconds, head, tail, wished, publisher?.holder ?? "",
                publisher?.ttl.milliseconds ?? 0, publisher?.last ?? "")
        }
        if id == .null { throw LeaseLost() }
        event.id = id.string ?? ""
        return event
    }

    /// The events after `since`, oldest first; at most `limit`: ask again from the last one's id for more.
    ///
    /// - Returns: `tooOld` when the log no longer reaches back to `since`, or `since` is no id of it.
    public func replay(account: String, since: String, limit: Int = 1000) async throws -> Replay {
        guard let since = StreamID(since) else { return .tooOld }
        // First what is there, then whether it is all: trimming between the two is noticed.
        let script = try await mapped {
            try await redis.command("EVAL", Script.replay, 1, Self.logKey(account), "(\(since)", limit)
        }
        guard let parts = script.array, parts.count == 5, let entries = parts[0].array else { return .tooOld }
        let log = LogState(first: parts[1], last: parts[2], added: parts[3], length: parts[4])
        guard log.reaches(back: since) else { return .tooOld }
        return .events(try entries.map(EventJSON.event(ofLogEntry:)))
    }

    /// The id of the account's latest event: where to replay from later. `0-0` when the log is empty.
    public func latestID(account: String) async throws -> String {
        let newest = try await mapped {
            try await redis.command("XREVRANGE", Self.logKey(account), "+", "-", "COUNT", 1)
        }
        return newest.array?.first?.array?.first?.string ?? "\(StreamID.zero)"
    }

    /// Tells every service of revocations that are already in the database; they act within milliseconds. Of a great many,
    /// a suspended customer's, they are told to read the ledger.
    public func announce(_ revocations: [Revocation]) async throws {
        let messages =
            try revocations.count > Self.announcedSingly
            ? [Self.rereadMessage] : revocations.map { try EventJSON.encode($0) }
        for message in messages {
            _ = try await mapped { try await redis.publish(message, to: Self.revocationChannel) }
        }
    }

    private static let announcedSingly = 100
    /// Instead of a revocation: look into the ledger.
    static let rereadMessage = Array(#""reread""#.utf8)

    /// Hands what a mail server pushed to the other replicas; each reads it from `pushes`, an empty one standing for some
    /// that were missed.
    public func forward(push: [UInt8]) async throws {
        _ = try await mapped { try await redis.publish(push, to: Self.pushChannel) }
    }

    static func channel(_ account: String) -> String { "mail.events.\(account)" }
    static func logKey(_ account: String) -> String { "mail.log.\(account)" }

    func mapped<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch RedisError.timedOut { throw Failure.timeout("Redis") } catch let error
            as RedisError where error.isUnavailable
        {
            throw Failure.unavailable("Redis")
        }
    }
}

/// What the log says of the time since an id.
public enum Replay: Sendable, Equatable {
    case events([MailEvent])
    /// Events since then may have been forgotten.
    case tooOld
}

extension Duration {
    var milliseconds: Int { Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000) }
}
