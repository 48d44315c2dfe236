import MariaDB
public import MailModel

/// A hoster's customer: the tenant that owns domains and users.
public struct Customer: Sendable, Equatable, Codable {
    public let id: Int64
    public let name: String
    /// Suspended, it suspends every user and mailbox it has.
    public let status: Account.Status
    /// RFC 3339.
    public let createdAt: String

    enum CodingKeys: String, CodingKey {
        case id, name, status
        case createdAt = "created_at"
    }
}

/// Customers; only the platform sees more than its own. Each change is recorded in the audit log with it.
public struct CustomerStore: Sendable {
    let database: Database

    public func create(name: String, by origin: AuditStore.Origin) async throws -> Customer {
        let id = try await database.transaction { tx in
            let id = try tx.execute(
                "INSERT INTO customers (name, created_at) VALUES (\(name), \(Timestamp.now()))"
            ).lastInsertID
            try Self.record("customer.created", id, name, by: origin, in: tx)
            return id
        }
        return try await find(id, scope: .everything)
    }

    /// - Throws: `Failure.notFound` also for a customer outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Customer {
        let rows = try await list(where: "id = \(id) AND \(Self.visible(to: scope))")
        guard let customer = rows.first else { throw Failure.notFound("This customer") }
        return customer
    }

    /// - Parameter search: A part of the name; nil for all.
    public func list(_ page: PageRequest, search: String?, scope: Scope) async throws -> Page<Customer> {
        var condition = Self.visible(to: scope)
        if let search { condition += " AND LOCATE(\(search), name) > 0" }
        let items = try await list(where: condition + " ORDER BY id" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM customers WHERE \(condition)").first?.int("n")
        return Page(items: items, request: page, total: total ?? 0)
    }

    /// - Throws: `Failure.notFound`.
    public func rename(_ id: Int64, to name: String, by origin: AuditStore.Origin) async throws {
        try await database.transaction { tx in
            _ = try Self.lock(id, in: tx)
            try tx.execute("UPDATE customers SET name = \(name) WHERE id = \(id)")
            try Self.record("customer.changed", id, name, by: origin, in: tx)
        }
    }

    /// Suspends or restores a customer; suspending ends what all of its users and mailboxes have open, in the same
    /// transaction.
    /// - Returns: The revocations to announce.
    /// - Throws: `Failure.notFound`.
    public func setSuspended(
        _ id: Int64, _ suspended: Bool, by origin: AuditStore.Origin
    ) async throws -> [Revocation] {
        try await database.transaction { tx in
            let name = try Self.lock(id, in: tx)
            try tx.execute("UPDATE customers SET status = \(suspended ? "suspended" : "active") WHERE id = \(id)")
            try Self.record(suspended ? "customer.suspended" : "customer.unsuspended", id, name, by: origin, in: tx)
            guard suspended else { return [] }
            return try RevocationStore.addAll(
                accounts: "d.customer_id = \(id)", users: "u.customer_id = \(id)", in: tx)
        }
    }

    /// - Throws: `Failure`: `notFound`; `conflict` `customer_not_empty` while it has domains or users.
    public func delete(_ id: Int64, by origin: AuditStore.Origin) async throws {
        try await database.transaction { tx in
            let name = try Self.lock(id, in: tx)
            let owned = try tx.query(
                """
                SELECT 1 AS one FROM domains WHERE customer_id = \(id)
                UNION ALL SELECT 1 FROM users WHERE customer_id = \(id) LIMIT 1
                """)
            guard owned.isEmpty else {
                throw Failure.conflict("customer_not_empty", "This customer has domains or users; delete them first.")
            }
            try tx.execute("DELETE FROM customers WHERE id = \(id)")
            try Self.record("customer.deleted", id, name, by: origin, in: tx)
        }
    }

    /// The customer's name; nobody else changes it, or adds to it, until the transaction ends.
    private static func lock(_ id: Int64, in tx: Transaction) throws -> String {
        guard let row = try tx.query("SELECT name FROM customers WHERE id = \(id) FOR UPDATE").first else {
            throw Failure.notFound("This customer")
        }
        return try row.string("name")
    }

    private static func record(
        _ action: String, _ id: Int64, _ name: String, by origin: AuditStore.Origin, in tx: Transaction
    ) throws {
        try AuditStore.record(
            origin.event(action, target: "customer:\(id)", customerID: id, detail: ["name": name]), in: tx)
    }

    private static func visible(to scope: Scope) -> SQL {
        switch scope {
        case .everything: "TRUE"
        case .customer(let id): "id = \(id)"
        case .accounts, .limited: "FALSE"
        }
    }

    private func list(where condition: SQL) async throws -> [Customer] {
        try await database.query("SELECT id, name, status, created_at FROM customers WHERE \(condition)").map { row in
            Customer(
                id: try row.int64("id"), name: try row.string("name"),
                status: Account.Status(rawValue: try row.string("status")) ?? .suspended,
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
        }
    }
}
