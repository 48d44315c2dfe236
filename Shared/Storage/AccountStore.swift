import MariaDB
public import MailModel

/// The mailboxes.
public struct AccountStore: Sendable {
    let database: Database

    /// What a login needs to know of a mailbox.
    public struct Login: Sendable, Equatable {
        public let id: Int64
        public let email: String
        public let customerID: Int64
        public let passwordHash: String
        /// False while the mailbox or its domain is suspended.
        public let isActive: Bool
    }

    /// - Throws: `Failure.notFound` for a domain outside the scope, `invalid` for a local part that cannot
    ///   be one, `conflict` `account_exists` for a taken address.
    public func create(
        domainID: Int64, localPart: String, passwordHash: String, quotaMB: Int, displayName: String, scope: Scope,
        by origin: AuditStore.Origin
    ) async throws -> Account {
        let domain = try await database.domains.find(domainID, scope: scope)
        // The local part names the folder that the mail is kept in, and Dovecot reads a login whose sessions are to end
        // as a pattern.
        guard !localPart.contains(where: { "/*?".contains($0) }) else {
            throw Failure.invalid(
                "local_part", code: "invalid_local_part", "must not contain a slash, an asterisk or a question mark")
        }
        let email = try EmailAddress(localPart: localPart, domain: try DomainName(domain.domain)).description
        let id = try await database.transaction { tx in
            do {
                let id = try tx.execute(
                    """
                    INSERT INTO accounts (domain_id, email, password_hash, quota_mb, display_name, created_at) VALUES
                    (\(domainID), \(email), \(passwordHash), \(quotaMB), \(displayName), \(Timestamp.now()))
                    """
                ).lastInsertID
                try AuditStore.record(
                    origin.event("account.created", target: email, customerID: domain.customerID), in: tx)
                return id
            } catch let error as MariaDBError where error.isDuplicateKey {
                throw Failure.conflict("account_exists", "This mailbox exists already.")
            }
        }
        return try await find(id, scope: .everything)
    }

    /// - Throws: `Failure.notFound` also for a mailbox outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Account {
        guard let account = try await list(where: "a.id = \(id) AND \(SQL.accountVisible(to: scope))").first else {
            throw Failure.notFound("This mailbox")
        }
        return account
    }

    /// The mailbox of that address; nil also for one outside the scope.
    public func find(email: String, scope: Scope) async throws -> Account? {
        try await list(where: "a.email = \(email) AND \(SQL.accountVisible(to: scope))").first
    }

    /// - Throws: `Failure.notFound` for a domain outside the scope.
    public func list(domainID: Int64, _ page: PageRequest, scope: Scope) async throws -> Page<Account> {
        _ = try await database.domains.find(domainID, scope: scope)
        let accounts = try await list(where: "a.domain_id = \(domainID) ORDER BY a.email" + SQL.page(page))
        let total = try await database.query(
            "SELECT COUNT(*) AS n FROM accounts WHERE domain_id = \(domainID)"
        ).first?.int("n")
        return Page(items: accounts, request: page, total: total ?? 0)
    }

    /// Changes what is given.
    public func update(
        _ id: Int64, quotaMB: Int?, displayName: String?, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Account {
        let account = try await find(id, scope: scope)
        var detail: [String: String] = [:]
        detail["quota_mb"] = quotaMB.map(String.init)
        detail["display_name"] = displayName
        try await database.transaction { [detail] tx in
            try tx.execute(
                """
                UPDATE accounts SET quota_mb = COALESCE(\(quotaMB), quota_mb),
                  display_name = COALESCE(\(displayName), display_name) WHERE id = \(id)
                """)
            try Self.record("account.changed", account, detail, by: origin, in: tx)
        }
        return try await find(id, scope: .everything)
    }

    /// Changes the password, and in the same transaction revokes every token and deletes every app password of the
    /// mailbox.
    /// - Returns: The revocation to announce.
    public func setPassword(
        _ id: Int64, hash: String, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Revocation {
        let account = try await find(id, scope: scope)
        return try await database.transaction { tx in
            try Self.record("account.password_changed", account, by: origin, in: tx)
            try tx.execute("UPDATE accounts SET password_hash = \(hash) WHERE id = \(id)")
            try tx.execute("DELETE FROM app_passwords WHERE account_id = \(id)")
            return try RevocationStore.add(.account, account.email, in: tx)
        }
    }

    /// Suspends or restores a mailbox; suspending revokes every token of it in the same transaction.
    /// - Returns: The revocation to announce, if any.
    public func setSuspended(
        _ id: Int64, _ suspended: Bool, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Revocation? {
        let account = try await find(id, scope: scope)
        return try await database.transaction { tx in
            try Self.record(suspended ? "account.suspended" : "account.unsuspended", account, by: origin, in: tx)
            try tx.execute("UPDATE accounts SET status = \(suspended ? "suspended" : "active") WHERE id = \(id)")
            return suspended ? try RevocationStore.add(.account, account.email, in: tx) : nil
        }
    }

    /// The mailbox of that address with its password hash, for a login or an introspection.
    public func login(email: String) async throws -> Login? { try await login(where: "a.email = \(email)") }

    /// The mailbox of that id, likewise.
    public func login(id: Int64) async throws -> Login? { try await login(where: "a.id = \(id)") }

    /// Notes a login.
    public func recordLogin(_ id: Int64) async throws {
        try await database.execute("UPDATE accounts SET last_login = \(Timestamp.now()) WHERE id = \(id)")
    }

    /// The addresses of all active mailboxes, in order.
    public func activeEmails() async throws -> [String] {
        try await database.query("SELECT email FROM dovecot_users WHERE active ORDER BY email")
            .map { try $0.string("email") }
    }

    private static func record(
        _ action: String, _ account: Account, _ detail: [String: String] = [:], by origin: AuditStore.Origin,
        in tx: Transaction
    ) throws {
        let row = try tx.query("SELECT customer_id FROM domains WHERE id = \(account.domainID)").first
        try AuditStore.record(
            origin.event(
                action, target: account.email, customerID: try row?.int64("customer_id"), detail: detail), in: tx)
    }

    /// Of `accounts a`, `domains d` and `customers c`: whether the mailbox may be used.
    static let isActive: SQL = "(a.status = 'active' AND d.status <> 'suspended' AND c.status = 'active')"

    private func login(where condition: SQL) async throws -> Login? {
        let rows = try await database.query(
            """
            SELECT a.id, a.email, d.customer_id, a.password_hash,
              \(Self.isActive) AS active
            FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
            WHERE \(condition)
            """)
        return try rows.first.map { row in
            Login(
                id: try row.int64("id"), email: try row.string("email"), customerID: try row.int64("customer_id"),
                passwordHash: try row.string("password_hash"), isActive: try row.bool("active"))
        }
    }

    private func list(where condition: SQL) async throws -> [Account] {
        try await database.query(
            """
            SELECT a.id, a.email, a.domain_id, a.quota_mb, COALESCE(u.bytes, 0) AS used_bytes,
              COALESCE(u.messages, 0) AS messages, IF(\(Self.isActive), 'active', 'suspended') AS status,
              a.display_name, a.last_login, a.created_at
            FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
              LEFT JOIN mailbox_usage u ON u.username = a.email
            WHERE \(condition)
            """
        ).map { row in
            Account(
                id: try row.int64("id"), email: try row.string("email"), domainID: try row.int64("domain_id"),
                quotaMB: try row.int("quota_mb"), usedMB: Account.megabytes(try row.int64("used_bytes")),
                messages: max(0, try row.int("messages")),
                status: Account.Status(rawValue: try row.string("status")) ?? .suspended,
                displayName: try row.string("display_name"),
                lastLogin: try row.optionalInt64("last_login").map(Timestamp.rfc3339(milliseconds:)),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
        }
    }
}
