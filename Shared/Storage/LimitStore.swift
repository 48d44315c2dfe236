import MariaDB
public import MailModel

/// How much a customer may have; nil is no limit.
public struct CustomerLimits: Sendable, Equatable, Codable {
    public var domains: Int?
    /// Mailboxes in all its domains.
    public var accounts: Int?
    /// The sum of its mailboxes' quotas, in MB of 2^20 bytes.
    public var quotaMB: Int?

    public init(domains: Int? = nil, accounts: Int? = nil, quotaMB: Int? = nil) {
        self.domains = domains
        self.accounts = accounts
        self.quotaMB = quotaMB
    }

    enum CodingKeys: String, CodingKey {
        case domains, accounts
        case quotaMB = "quota_mb"
    }
}

/// The limits of customers. What would break one is refused in the transaction that would.
public struct LimitStore: Sendable {
    let database: Database

    /// - Throws: `Failure.notFound` also for a customer outside the scope.
    public func find(customerID: Int64, scope: Scope) async throws -> (limits: CustomerLimits, used: CustomerLimits) {
        _ = try await database.customers.find(customerID, scope: scope)
        return try await database.transaction { tx in
            (try Self.limits(customerID, locked: false, in: tx) ?? .init(), try Self.used(customerID, in: tx))
        }
    }

    /// - Throws: `Failure.notFound`.
    public func set(_ limits: CustomerLimits, customerID: Int64, by origin: AuditStore.Origin) async throws {
        _ = try await database.customers.find(customerID, scope: .everything)
        try await database.transaction { tx in
            let before = try Self.limits(customerID, locked: true, in: tx) ?? .init()
            try tx.execute(
                """
                REPLACE INTO customer_limits (customer_id, domains, accounts, quota_mb)
                VALUES (\(customerID), \(limits.domains), \(limits.accounts), \(limits.quotaMB))
                """)
            var changes = AuditStore.Changes()
            func text(_ limit: Int?) -> String { limit.map(String.init) ?? "none" }
            changes.add("domains", text(before.domains), text(limits.domains))
            changes.add("accounts", text(before.accounts), text(limits.accounts))
            changes.add("quota_mb", text(before.quotaMB), text(limits.quotaMB))
            try AuditStore.record(
                origin.event(
                    "customer.limits_changed", target: "customer:\(customerID)", customerID: customerID,
                    detail: changes.fields), in: tx)
        }
    }

    /// Refuses what would be beyond a limit; until the transaction ends, nobody else adds anything to a customer that has
    /// limits.
    /// - Throws: `Failure` `conflict` `limit_reached`.
    static func admit(
        domains: Int = 0, accounts: Int = 0, quotaMB: Int = 0, customerID: Int64, in tx: Transaction
    ) throws {
        guard domains > 0 || accounts > 0 || quotaMB > 0, let limits = try limits(customerID, locked: true, in: tx)
        else { return }
        let used = try used(customerID, in: tx)
        for (more, used, limit, what) in [
            (domains, used.domains, limits.domains, "domains"),
            (accounts, used.accounts, limits.accounts, "mailboxes"),
            (quotaMB, used.quotaMB, limits.quotaMB, "MB of quota"),
        ] where more > 0 {
            guard let limit, (used ?? 0) + more > limit else { continue }
            throw Failure.conflict(
                "limit_reached", "The customer may have \(limit) \(what), and has \(used ?? 0) already.")
        }
    }

    private static func limits(_ customerID: Int64, locked: Bool, in tx: Transaction) throws -> CustomerLimits? {
        let lock: SQL = locked ? "FOR UPDATE" : ""
        return try tx.query(
            "SELECT domains, accounts, quota_mb FROM customer_limits WHERE customer_id = \(customerID) \(lock)"
        ).first.map { row in
            CustomerLimits(
                domains: try row.optionalInt("domains"), accounts: try row.optionalInt("accounts"),
                quotaMB: try row.optionalInt("quota_mb"))
        }
    }

    private static func used(_ customerID: Int64, in tx: Transaction) throws -> CustomerLimits {
        let row = try tx.query(
            """
            SELECT COUNT(*) AS domains, CAST(COALESCE(SUM(t.accounts), 0) AS SIGNED) AS accounts,
              CAST(COALESCE(SUM(t.quota_mb), 0) AS SIGNED) AS quota_mb
            FROM domains d LEFT JOIN domain_totals t ON t.domain_id = d.id
            WHERE d.customer_id = \(customerID) AND d.deleted_at IS NULL
            """
        ).first
        return CustomerLimits(
            domains: try row?.int("domains"), accounts: try row?.int("accounts"), quotaMB: try row?.int("quota_mb"))
    }
}
