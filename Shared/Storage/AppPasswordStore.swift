import MariaDB
public import MailModel

/// Passwords for mail programs without OAuth2, one for each; only their hash is kept.
public struct AppPasswordStore: Sendable {
    let database: Database

    /// An app password as the API shows it.
    public struct AppPassword: Sendable, Equatable, Codable {
        public let id: Int64
        public let email: String
        public let name: String
        /// `imap`, `smtp`, space-separated.
        public let scope: String
        /// RFC 3339, as the following.
        public let createdAt: String
        public let expiresAt: String?
        /// To the minute.
        public let lastUsedAt: String?
        public let lastUsedIP: String?

        enum CodingKeys: String, CodingKey {
            case id, email, name, scope
            case createdAt = "created_at"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
            case lastUsedIP = "last_used_ip"
        }
    }

    /// What an introspection needs to know.
    public struct Login: Sendable, Equatable {
        public let id: Int64
        public let email: String
        public let scope: String
        /// Milliseconds since 1970.
        public let createdAt: Int64
        public let expiresAt: Int64?
        /// False while the mailbox, its domain or its customer is suspended.
        public let isActive: Bool
        /// Milliseconds since 1970; 0 for never.
        public let lastUsedAt: Int64
        /// The `sub` of who made it; nil for one that is older than this record.
        public let createdBy: String?
    }

    /// What introspection calls it, and a revocation of it alone.
    public static func jti(_ id: Int64) -> String { "app:\(id)" }

    /// - Parameters:
    ///   - expiresAt: Milliseconds since 1970; nil never expires.
    ///   - limit: How many a mailbox may have.
    ///   - creator: The `sub` of who makes it, with whom it ends.
    /// - Throws: `Failure`: `notFound` for a mailbox outside the scope, `conflict` `too_many_app_passwords`.
    public func create(
        email: String, name: String, hash: String, allows: String, expiresAt: Int64?, limit: Int,
        by creator: String, scope: Scope
    ) async throws -> AppPassword {
        guard let account = try await database.accounts.find(email: email, scope: scope) else {
            throw Failure.notFound("This mailbox")
        }
        let outcome = try await database.execute(
            """
            INSERT INTO app_passwords (account_id, name, secret_hash, scope, created_by, created_at, expires_at)
            SELECT \(account.id), \(name), \(hash), \(allows), \(creator), \(Timestamp.now()), \(expiresAt) FROM DUAL
            WHERE (SELECT COUNT(*) FROM app_passwords WHERE account_id = \(account.id)) < \(limit)
            """)
        guard outcome.affectedRows == 1 else {
            throw Failure.conflict("too_many_app_passwords", "A mailbox may have \(limit); delete one first.")
        }
        return try await find(outcome.lastInsertID, scope: .everything)
    }

    /// - Throws: `Failure.notFound` also for one of a mailbox outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> AppPassword {
        guard
            let found = try await list(where: "p.id = \(id) AND \(SQL.accountVisible(to: scope))").first
        else { throw Failure.notFound("This app password") }
        return found
    }

    /// Those of a mailbox, or of all in the scope.
    public func list(email: String?, _ page: PageRequest, scope: Scope) async throws -> Page<AppPassword> {
        var condition = SQL.accountVisible(to: scope)
        if let email { condition = condition + " AND a.email = \(email)" }
        let items = try await list(where: condition + " ORDER BY p.id" + SQL.page(page))
        let total = try await database.query(
            """
            SELECT COUNT(*) AS n FROM app_passwords p JOIN accounts a ON a.id = p.account_id
            JOIN domains d ON d.id = a.domain_id WHERE \(condition)
            """
        ).first?.int("n")
        return Page(items: items, request: page, total: total ?? 0)
    }

    /// Deletes one and revokes it, together: introspections of it are remembered for a while, and connections that were
    /// opened with it are alive.
    /// - Returns: As `RevocationStore.addIfNew`.
    public func delete(_ id: Int64, of email: String) async throws -> (revocation: Revocation, isNew: Bool) {
        try await database.transaction { tx in
            try tx.execute("DELETE FROM app_passwords WHERE id = \(id)")
            return try RevocationStore.addIfNew(.jti, Self.jti(id), mailboxes: [email], in: tx)
        }
    }

    /// The app password of this hash that has not expired.
    public func login(hash: String) async throws -> Login? {
        let rows = try await database.query(
            """
            SELECT p.id, a.email, p.scope, p.created_by, p.created_at, p.expires_at, COALESCE(p.last_used_at, 0) AS last_used_at,
              \(AccountStore.isActive) AS active
            FROM app_passwords p JOIN accounts a ON a.id = p.account_id JOIN domains d ON d.id = a.domain_id
            JOIN customers c ON c.id = d.customer_id
            WHERE p.secret_hash = \(hash) AND (p.expires_at IS NULL OR p.expires_at > \(Timestamp.now()))
            """)
        return try rows.first.map { row in
            Login(
                id: try row.int64("id"), email: try row.string("email"), scope: try row.string("scope"),
                createdAt: try row.int64("created_at"), expiresAt: try row.optionalInt64("expires_at"),
                isActive: try row.bool("active"), lastUsedAt: try row.int64("last_used_at"),
                createdBy: try row.optionalString("created_by"))
        }
    }

    /// Notes a use.
    public func recordUse(_ id: Int64, ip: String?) async throws {
        try await database.execute(
            "UPDATE app_passwords SET last_used_at = \(Timestamp.now()), last_used_ip = \(ip) WHERE id = \(id)")
    }

    private func list(where condition: SQL) async throws -> [AppPassword] {
        try await database.query(
            """
            SELECT p.id, a.email, p.name, p.scope, p.created_at, p.expires_at, p.last_used_at, p.last_used_ip
            FROM app_passwords p JOIN accounts a ON a.id = p.account_id JOIN domains d ON d.id = a.domain_id
            WHERE \(condition)
            """
        ).map { row in
            AppPassword(
                id: try row.int64("id"), email: try row.string("email"), name: try row.string("name"),
                scope: try row.string("scope"),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
                expiresAt: try row.optionalInt64("expires_at").map(Timestamp.rfc3339(milliseconds:)),
                lastUsedAt: try row.optionalInt64("last_used_at").map(Timestamp.rfc3339(milliseconds:)),
                lastUsedIP: try row.optionalString("last_used_ip"))
        }
    }
}
