import MailModel
import Storage
import TestSupport

/// The real database; each test makes its own customer in it.
struct Fixture: Sendable {
    let database: Database

    init() async throws {
        let endpoints = try TestStack.load().database
        database = Database(
            Database.Configuration(
                socket: endpoints.socket, host: "127.0.0.1", port: 3306, user: endpoints.user,
                password: endpoints.password, database: endpoints.name, connections: 4))
        try await database.migrate()
    }

    /// Of another database.
    init(database: Database) { self.database = database }

    static func unique() -> String { "t" + String(UInt64.random(in: 0 ... .max), radix: 36) }

    /// As long as the hash of a token.
    static func hash() -> String { unique() + String(repeating: "0", count: 40) }

    /// As long as the id of a session or a token.
    static func identifier() -> String { String((unique() + unique()).prefix(22)) }

    struct Tenant: Sendable {
        let customer: Customer
        let domain: Domain
        let account: Account
        var subject: String { "account:\(account.id)" }
    }

    func tenant() async throws -> Tenant {
        let customer = try await database.customers.create(name: "Tenant", by: .command)
        let domain = try await database.domains.create(
            .init(name: DomainName(Self.unique() + ".test"), customerID: customer.id, keys: []), by: .command)
        return Tenant(
            customer: customer, domain: domain, account: try await account("info", of: domain))
    }

    func account(_ localPart: String, of domain: Domain) async throws -> Account {
        try await database.accounts.create(
            domainID: domain.id,
            .init(localPart: localPart, passwordHash: "{PLAIN}x", quotaMB: 100, displayName: ""),
            scope: .everything, by: .command)
    }

    func user(of tenant: Tenant) async throws -> User {
        try await database.users.create(
            .init(
                customerID: tenant.customer.id, email: EmailAddress("\(Self.unique())@people.test"), passwordHash: "x",
                role: .member, accounts: []),
            by: .command)
    }

    /// An app password of the tenant's mailbox.
    /// - Returns: The hash that finds it.
    func appPassword(of tenant: Tenant, by creator: String) async throws -> String {
        let hash = Self.hash()
        _ = try await database.appPasswords.create(
            email: tenant.account.email, name: "Phone", hash: hash, allows: "imap", expiresAt: nil, limit: 50,
            by: creator, scope: .everything)
        return hash
    }

    func opening(
        family: String = identifier(), refreshHash: String = hash(), origin: SessionOrigin = SessionOrigin()
    ) -> SessionOpening {
        let now = Timestamp.now()
        return SessionOpening(
            family: family, refreshHash: refreshHash, issuedAt: now, expiresAt: now + 60_000, origin: origin)
    }
}
