import MariaDB
import MailModel

/// What lasts: every table of the product, behind one store per aggregate.
///
/// All SQL of the product is in this module. Values are bound, never spliced; every method that answers a caller takes
/// the caller's `Scope` and its SQL applies it. When MariaDB is away every method throws `Failure.unavailable` or
/// `.timeout`; everything else it throws is a `Failure` that the method names, or a bug.
public struct Database: Sendable {
    private let pool: MariaDB

    /// How to reach MariaDB: by socket where one is given, else by host and port.
    public struct Configuration: Sendable {
        public var socket: String?
        public var host: String
        public var port: Int
        public var user: String
        public var password: String
        public var database: String
        /// As many connections, and threads of their own, as statements may run at once.
        public var connections: Int
        /// How long a statement may take before the server is taken for away, and twice as long as a connection may: whole
        /// seconds.
        public var timeout = Duration.seconds(3)
        /// Whether the connection to `host` is TLS.
        public var usesTLS = false
        /// A PEM file with the authorities to trust, in place of the system's.
        public var tlsCAFile: String?

        public init(
            socket: String?, host: String, port: Int, user: String, password: String, database: String,
            connections: Int
        ) {
            self.socket = socket
            self.host = host
            self.port = port
            self.user = user
            self.password = password
            self.database = database
            self.connections = connections
        }
    }

    /// Connects on first use, so a service starts before its database does.
    public init(_ configuration: Configuration) {
        var server = MariaDB.Configuration(
            host: configuration.host, port: configuration.port, socket: configuration.socket,
            user: configuration.user, password: configuration.password, database: configuration.database,
            connections: configuration.connections, connectTimeout: configuration.timeout / 2,
            queryTimeout: configuration.timeout)
        server.usesTLS = configuration.usesTLS
        server.tlsCAFile = configuration.tlsCAFile
        pool = MariaDB(server)
    }

    public var customers: CustomerStore { CustomerStore(database: self) }
    public var users: UserStore { UserStore(database: self) }
    public var serviceTokens: ServiceTokenStore { ServiceTokenStore(database: self) }
    public var sessions: SessionStore { SessionStore(database: self) }
    public var revocations: RevocationStore { RevocationStore(database: self) }
    public var signingKeys: SigningKeyStore { SigningKeyStore(database: self) }
    public var secondFactors: SecondFactorStore { SecondFactorStore(database: self) }
    public var appPasswords: AppPasswordStore { AppPasswordStore(database: self) }
    public var mailTokens: MailTokenStore { MailTokenStore(database: self) }
    public var oauthClients: OAuthClientStore { OAuthClientStore(database: self) }
    public var authorizationCodes: AuthorizationCodeStore { AuthorizationCodeStore(database: self) }
    public var deviceCodes: DeviceCodeStore { DeviceCodeStore(database: self) }
    public var audit: AuditStore { AuditStore(database: self) }
    public var domains: DomainStore { DomainStore(database: self) }
    public var dkimKeys: DKIMKeyStore { DKIMKeyStore(database: self) }
    public var limits: LimitStore { LimitStore(database: self) }
    public var accounts: AccountStore { AccountStore(database: self) }
    public var aliases: AliasStore { AliasStore(database: self) }
    public var signatures: SignatureStore { SignatureStore(database: self) }
    public var contacts: ContactStore { ContactStore(database: self) }
    public var outbox: OutboxStore { OutboxStore(database: self) }
    public var uploads: UploadStore { UploadStore(database: self) }
    public var webhooks: WebhookStore { WebhookStore(database: self) }
    public var idempotency: IdempotencyStore { IdempotencyStore(database: self) }

    /// One round trip to the server.
    public func ping() async throws { try await mapped { try await pool.ping() } }

    /// Waits for what runs and closes the connections.
    public func close() async { await pool.close() }

    func query(_ sql: SQL) async throws -> [Row] { try await mapped { try await pool.query(sql) } }

    @discardableResult
    func execute(_ sql: SQL) async throws -> Outcome { try await mapped { try await pool.execute(sql) } }

    func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        try await mapped { try await pool.transaction(body) }
    }

    /// Runs `body` while no other service holds the lock of that name.
    func locked<Value: Sendable>(
        _ name: String, timeout: Duration, _ body: @escaping @Sendable (Transaction) throws -> Value
    ) async throws -> Value {
        try await mapped { try await pool.lock(name: name, timeout: timeout, body) }
    }

    private func mapped<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as MariaDBError where error.isTimeout {
            throw Failure.timeout("MariaDB")
        } catch let error as MariaDBError where error.isUnavailable {
            throw Failure.unavailable("MariaDB")
        }
    }
}

extension SQL {
    /// The condition under which a row of `domains d` is within the scope; members administer no domain.
    static func domainVisible(to scope: Scope) -> SQL {
        switch scope {
        case .everything: "TRUE"
        case .customer(let id): "d.customer_id = \(id)"
        case .accounts: "FALSE"
        case .limited(let limits): "d.domain IN (\(list: limits.domains))"
        }
    }

    /// The condition under which a row of `accounts a` of `domains d` is within the scope.
    static func accountVisible(to scope: Scope) -> SQL {
        switch scope {
        case .everything: "TRUE"
        case .customer(let id): "d.customer_id = \(id)"
        case .accounts(let emails): emails.isEmpty ? "FALSE" : "a.email IN (\(list: emails))"
        case .limited(let limits):
            "(d.domain IN (\(list: limits.domains)) OR a.email IN (\(list: limits.addresses)))"
        }
    }

    static func page(_ page: PageRequest) -> SQL { " LIMIT \(page.perPage) OFFSET \(page.offset)" }
}
