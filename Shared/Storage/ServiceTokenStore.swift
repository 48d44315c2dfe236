import MariaDB
public import MailModel

/// Tokens of the platform itself; only their hash is kept. Each change is recorded in the audit log with it.
public struct ServiceTokenStore: Sendable {
    let database: Database

    /// A service token as the API shows it; the token itself is shown once, when it is made.
    public struct ServiceToken: Sendable, Equatable, Codable {
        public let id: Int64
        public let name: String
        public let scopes: [String]
        /// The domains (A-labels) and the mailboxes it is limited to; both nil: every one.
        public let domains: [String]?
        public let addresses: [String]?
        /// RFC 3339.
        public let createdAt: String
        public let expiresAt: String?
        /// RFC 3339, to the minute.
        public let lastUsedAt: String?

        enum CodingKeys: String, CodingKey {
            case id, name, scopes, domains, addresses
            case createdAt = "created_at"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
        }
    }

    /// Keeps the hash of a token; one that is kept already stays as it is.
    /// - Parameter expiresAt: Milliseconds since 1970; nil never expires.
    @discardableResult
    public func create(
        name: String, hash: String, scopes: [String], limits: Caller.Limits? = nil, expiresAt: Int64? = nil,
        by origin: AuditStore.Origin = .command
    ) async throws -> ServiceToken {
        try await database.transaction { tx in
            let made = try tx.execute(
                """
                INSERT IGNORE INTO service_tokens (name, token_hash, scopes, domains, addresses, created_at, expires_at)
                VALUES (\(name), \(hash), \(scopes.joined(separator: " ")), \(Self.text(limits?.domains)),
                  \(Self.text(limits?.addresses)), \(Timestamp.now()), \(expiresAt))
                """)
            guard made.affectedRows == 1 else { return }
            try Self.record(
                "service_token.created", made.lastInsertID, ["name": name, "scopes": scopes.joined(separator: " ")],
                by: origin, in: tx)
        }
        guard let token = try await rows(where: "token_hash = \(hash)").first else {
            throw Failure.notFound("This service token")
        }
        return token
    }

    /// - Throws: `Failure.notFound`.
    public func find(_ id: Int64) async throws -> ServiceToken {
        guard let token = try await rows(where: "id = \(id)").first else {
            throw Failure.notFound("This service token")
        }
        return token
    }

    public func list(_ page: PageRequest) async throws -> Page<ServiceToken> {
        let total = try await database.query("SELECT COUNT(*) AS n FROM service_tokens").first?.int("n")
        return Page(items: try await rows(where: "TRUE ORDER BY id" + SQL.page(page)), request: page, total: total ?? 0)
    }

    /// - Throws: `Failure.notFound`.
    public func rename(_ id: Int64, to name: String, by origin: AuditStore.Origin) async throws {
        try await database.transaction { tx in
            let outcome = try tx.execute("UPDATE service_tokens SET name = \(name) WHERE id = \(id)")
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This service token") }
            try Self.record("service_token.renamed", id, ["name": name], by: origin, in: tx)
        }
    }

    /// Keeps the first service token, which a secret file names: as `create`, unless it was deleted. A file that still
    /// has it does not bring it back.
    /// - Returns: Whether it counts.
    public func keepBootstrap(hash: String) async throws -> Bool {
        let deleted = try await database.query(
            "SELECT 1 AS one FROM deleted_service_tokens WHERE token_hash = \(hash)")
        guard deleted.isEmpty else { return false }
        try await create(name: "bootstrap", hash: hash, scopes: ["*"])
        return true
    }

    /// Deletes a token, and revokes it and the mail tokens that were made with it.
    /// - Returns: The revocations to announce.
    /// - Throws: `Failure.notFound`.
    public func delete(_ id: Int64, by origin: AuditStore.Origin) async throws -> [Revocation] {
        try await database.transaction { tx in
            try tx.execute(
                """
                INSERT IGNORE INTO deleted_service_tokens (token_hash, deleted_at)
                SELECT token_hash, \(Timestamp.now()) FROM service_tokens WHERE id = \(id)
                """)
            let outcome = try tx.execute("DELETE FROM service_tokens WHERE id = \(id)")
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This service token") }
            try Self.record("service_token.deleted", id, [:], by: origin, in: tx)
            let subject = Caller.Platform.subject(id)
            return [
                try RevocationStore.add(.jti, subject, in: tx), try RevocationStore.add(.user, subject, in: tx),
            ]
        }
    }

    /// Who calls with the token of this hash; nil when it is unknown or has expired. Notes the use, to the minute.
    public func authenticate(hash: String) async throws -> Caller.Platform? {
        let now = Timestamp.now()
        let rows = try await database.query(
            """
            SELECT id, name, scopes, domains, addresses, expires_at, COALESCE(last_used_at, 0) AS last_used_at
            FROM service_tokens WHERE token_hash = \(hash) AND (expires_at IS NULL OR expires_at > \(now))
            """)
        guard let row = rows.first else { return nil }
        let id = try row.int64("id")
        if try row.int64("last_used_at") < now - 60_000 {
            try await database.execute("UPDATE service_tokens SET last_used_at = \(now) WHERE id = \(id)")
        }
        let domains = try Self.words(row, "domains"), addresses = try Self.words(row, "addresses")
        let isLimited = domains != nil || addresses != nil
        return Caller.Platform(
            tokenID: id, name: try row.string("name"), scopes: Set(try Self.words(row, "scopes") ?? []),
            limits: isLimited ? .init(domains: domains ?? [], addresses: addresses ?? []) : nil,
            expiresAt: try row.optionalInt64("expires_at"))
    }

    private static func text(_ words: [String]?) -> String? { words?.joined(separator: " ") }

    private static func words(_ row: Row, _ column: String) throws -> [String]? {
        try row.optionalString(column)?.split(separator: " ").map(String.init)
    }

    private static func record(
        _ action: String, _ id: Int64, _ detail: [String: String], by origin: AuditStore.Origin, in tx: Transaction
    ) throws {
        try AuditStore.record(
            origin.event(action, target: Caller.Platform.subject(id), customerID: nil, detail: detail), in: tx)
    }

    private func rows(where condition: SQL) async throws -> [ServiceToken] {
        let rows = try await database.query(
            """
            SELECT id, name, scopes, domains, addresses, created_at, expires_at, last_used_at FROM service_tokens
            WHERE \(condition)
            """)
        return try rows.map { row in
            ServiceToken(
                id: try row.int64("id"), name: try row.string("name"), scopes: try Self.words(row, "scopes") ?? [],
                domains: try Self.words(row, "domains"), addresses: try Self.words(row, "addresses"),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
                expiresAt: try row.optionalInt64("expires_at").map(Timestamp.rfc3339(milliseconds:)),
                lastUsedAt: try row.optionalInt64("last_used_at").map(Timestamp.rfc3339(milliseconds:)))
        }
    }
}
