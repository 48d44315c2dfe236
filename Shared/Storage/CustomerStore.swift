import MariaDB
public import MailModel

/// A hoster's customer: the tenant that owns domains and users.
public struct Customer: Sendable, Equatable, Codable {
    public let id: Int64
    public let name: String
    /// RFC 3339.
    public let createdAt: String

    enum CodingKeys: String, CodingKey {
        case id, name
        case createdAt = "created_at"
    }
}

/// Customers; only the platform sees more than its own.
public struct CustomerStore: Sendable {
    let database: Database

    public func create(name: String) async throws -> Customer {
        let now = Timestamp.now()
        let outcome = try await database.execute("INSERT INTO customers (name, created_at) VALUES (\(name), \(now))")
        return Customer(id: outcome.lastInsertID, name: name, createdAt: Timestamp.rfc3339(milliseconds: now))
    }

    /// - Throws: `Failure.notFound` also for a customer outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Customer {
        let rows = try await database.query(
            "SELECT id, name, created_at FROM customers WHERE id = \(id) AND \(Self.visible(to: scope))")
        guard let row = rows.first else { throw Failure.notFound("This customer") }
        return try Self.customer(row)
    }

    public func list(_ page: PageRequest, scope: Scope) async throws -> Page<Customer> {
        let visible = Self.visible(to: scope)
        let rows = try await database.query(
            "SELECT id, name, created_at FROM customers WHERE \(visible) ORDER BY id" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM customers WHERE \(visible)").first?.int("n")
        return Page(items: try rows.map(Self.customer), request: page, total: total ?? 0)
    }

    private static func visible(to scope: Scope) -> SQL {
        switch scope {
        case .everything: "TRUE"
        case .customer(let id): "id = \(id)"
        case .accounts, .limited: "FALSE"
        }
    }

    private static func customer(_ row: Row) throws -> Customer {
        Customer(
            id: try row.int64("id"), name: try row.string("name"),
            createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
    }
}
