import MariaDB
public import MailModel

/// Tokens of the platform itself; only their hash is kept.
public struct ServiceTokenStore: Sendable {
    let database: Database

    /// A service token as the API shows it; the token itself is shown once, when it is made.
    public struct ServiceToken: Sendable, Equatable, Codable {
        public let id: Int64
        public let name: String
        public let scopes: [String]
        /// RFC 3339.
        public let createdAt: String
        public let expiresAt: String?
        /// RFC 3339, to the minute.
        public let lastUsedAt: String?

        enum CodingKeys: String, CodingKey {
            case id, name, scopes
            case createdAt = "created_at"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
        }
    }

    /// Keeps the hash of a token; one that is kept already stays as it is.
    /// - Parameter expiresAt: Milliseconds since 1970; nil never expires.
    @discardableResult
    public func create(
        name: String, hash: String, scopes: [String], expiresAt: Int64? = nil
    ) async throws
        -> ServiceToken
    {
        try await database.execute(
            """
            INSERT IGNORE INTO service_tokens (name, token_hash, scopes, created_at, expires_at)
            VALUES (\(name), \(hash), \(scopes.joined(separator: " ")), \(Timestamp.now()), \(expiresAt))
            """)
        guard let token = try await rows(where: "token_hash = \(hash)").first else {
            throw Failure.notFound("This service token")
        }
        return token
    }

    public func list(_ page: PageRequest) async throws -> Page<ServiceToken> {
        let total = try await database.query("SELECT COUNT(*) AS n FROM service_tokens").first?.int("n")
        return Page(items: try await rows(where: "TRUE ORDER BY id" + SQL.page(page)), request: page, total: total ?? 0)
    }

    /// - Throws: `Failure.notFound`.
    public func delete(_ id: Int64) async throws {
        let outcome = try await database.execute("DELETE FROM service_tokens WHERE id = \(id)")
        guard outcome.affectedRows == 1 else { throw Failure.notFound("This service token") }
    }

    /// Who calls with the token of this hash; nil when it is unknown or has expired. Notes the use, to the minute.
    public func authenticate(hash: String) async throws -> Caller.Platform? {
        let now = Timestamp.now()
        let rows = try await database.query(
            """
            SELECT id, name, scopes, COALESCE(last_used_at, 0) AS last_used_at FROM service_tokens
            WHERE token_hash = \(hash) AND (expires_at IS NULL OR expires_at > \(now))
            """)
        guard let row = rows.first else { return nil }
        let id = try row.int64("id")
        if try row.int64("last_used_at") < now - 60_000 {
            try await database.execute("UPDATE service_tokens SET last_used_at = \(now) WHERE id = \(id)")
        }
        return Caller.Platform(
            tokenID: id, name: try row.string("name"),
            scopes: Set(try row.string("scopes").split(separator: " ").map(String.init)))
    }

    private func rows(where condition: SQL) async throws -> [ServiceToken] {
        let rows = try await database.query(
            "SELECT id, name, scopes, created_at, expires_at, last_used_at FROM service_tokens WHERE \(condition)")
        return try rows.map { row in
            ServiceToken(
                id: try row.int64("id"), name: try row.string("name"),
                scopes: try row.string("scopes").split(separator: " ").map(String.init),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
                expiresAt: try row.optionalInt64("expires_at").map(Timestamp.rfc3339(milliseconds:)),
                lastUsedAt: try row.optionalInt64("last_used_at").map(Timestamp.rfc3339(milliseconds:)))
        }
    }
}
