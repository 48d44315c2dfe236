public import Credentials
public import EventBus
public import HTTPService
public import Logging
public import MailModel
public import Storage

/// What every service stands on: the database, the event bus, and knowing who calls.
///
/// Made once by a service while it assembles itself. It brings its own background work (migrations, the feed of
/// revocations, fresh keys) and readiness checks, and waits for nothing: a service listens before its dependencies do.
public struct Platform: Sendable {
    public let database: Database
    public let bus: EventBus
    public let revocations: RevocationSet
    public let keys: KeySet
    public let authenticator: Authenticator
    public let audit: AuditLog
    /// What honours `Idempotency-Key`.
    public let idempotency: Idempotency

    /// - Parameters:
    ///   - database: Where a service needs it before; else it is made from the settings.
    ///   - keys: What tokens are verified with.
    ///   - box: Where a service has one: answers kept for idempotency keys are sealed with it.
    ///   - onRevocation: Called with each revocation once it is in the set, to end what lives on it. It may come more
    ///     than once.
    public init(
        _ service: ServiceAssembly, settings: PlatformSettings, database given: Database? = nil, keys: KeySet,
        box: SecretBox? = nil,
        onRevocation: @escaping @Sendable ([Revocation]) async -> Void = { _ in }
    ) {
        let logger = service.logger
        let database = given ?? Database(settings.database)
        let bus = EventBus(redis: settings.redis, logger: logger)
        let revocations = RevocationSet()
        self.database = database
        self.bus = bus
        self.revocations = revocations
        self.keys = keys
        audit = AuditLog(store: database.audit, logger: logger)
        let idempotency = Idempotency(store: database.idempotency, box: box, logger: logger)
        self.idempotency = idempotency
        authenticator = Authenticator(keys: keys, revocations: revocations) {
            try await database.serviceTokens.authenticate(hash: $0)
        }
        service.run(bus)
        service.run(keys)
        service.run("idempotency") { try await idempotency.clean() }
        service.run("migrations") { try await Self.migrate(database, logger) }
        service.run(
            RevocationFeed(
                bus: bus, logger: logger, loader: { try await database.revocations.after($0) },
                onFirstReading: { revocations.setLoaded() }
            ) { news in
                revocations.apply(news)
                await onRevocation(news)
            })
        service.readiness.add("mariadb") { await Self.state { try await database.ping() } }
        service.readiness.add("revocations") { revocations.isLoaded ? .ok : .down }
        service.readiness.add("redis", isCritical: false) { await Self.state { try await bus.ping() } }
    }

    /// For a command at a shell: the same, but nothing runs in the background.
    public init(command settings: PlatformSettings, logger: Logger) {
        database = Database(settings.database)
        bus = EventBus(redis: settings.redis, logger: logger)
        revocations = RevocationSet()
        keys = KeySet(issuer: settings.issuer, refreshedEvery: .seconds(300)) { throw Failure.unavailable("Keys") }
        authenticator = Authenticator(keys: keys, revocations: revocations) { _ in nil }
        audit = AuditLog(store: database.audit, logger: logger)
        idempotency = Idempotency(store: database.idempotency, logger: logger)
    }

    /// Announces what was committed before. When Redis is away nobody waits for it: the feeds find it in the ledger.
    public func announce(_ revocations: [Revocation]) async {
        do { try await bus.announce(revocations) } catch {}
    }

    /// Whether something answers.
    public static func state(_ check: () async throws -> Void) async -> Readiness.State {
        do {
            try await check()
            return .ok
        } catch { return .down }
    }

    /// Until it worked once; the database may come later than we do.
    private static func migrate(_ database: Database, _ logger: Logger) async throws {
        while true {
            do {
                try await database.migrate()
                return
            } catch let failure as Failure {
                logger.notice("Schema not migrated yet", metadata: ["reason": "\(failure.code)"])
            } catch {
                logger.error("Schema not migrated", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
