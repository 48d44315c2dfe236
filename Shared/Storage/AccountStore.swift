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

    /// What a new mailbox is made of.
    public struct Draft: Sendable, Equatable {
        public var localPart: String
        public var passwordHash: String
        /// MB of 2^20 bytes.
        public var quotaMB: Int
        public var displayName: String
        /// Recipients an hour; nil for the platform's own limit.
        public var sendLimit: Int?

        public init(
            localPart: String, passwordHash: String, quotaMB: Int, displayName: String = "", sendLimit: Int? = nil
        ) {
            self.localPart = localPart
            self.passwordHash = passwordHash
            self.quotaMB = quotaMB
            self.displayName = displayName
            self.sendLimit = sendLimit
        }
    }

    /// The address that a local part makes in a domain.
    /// - Throws: `Failure` `invalid` for one that cannot name a mailbox here.
    public static func address(_ localPart: String, of domain: DomainName) throws -> EmailAddress {
        // The local part names the folder that the mail is kept in, and Dovecot reads a login whose sessions are to end
        // as a pattern.
        guard !localPart.contains(where: { "/*?".contains($0) }) else {
            throw Failure.invalid(
                "local_part", code: "invalid_local_part",
                "must not contain a slash, an asterisk or a question mark")
        }
        return try EmailAddress(localPart: localPart, domain: domain)
    }

    /// - Throws: `Failure.notFound` for a domain outside the scope, `invalid` for a local part that cannot
    ///   be one, `conflict` `account_exists` or `alias_exists` for a taken address, `domain_is_alias`, `limit_reached`.
    public func create(
        domainID: Int64, _ draft: Draft, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Account {
        let domain = try await database.domains.reach(domainID, scope: scope)
        let email = try Self.address(draft.localPart, of: domain.name).description
        let id = try await database.transaction { tx in
            try LimitStore.admit(accounts: 1, quotaMB: draft.quotaMB, customerID: domain.customerID, in: tx)
            try Self.checkFree(email, domainID: domainID, in: tx)
            let id = try Self.insert(draft, email: email, domainID: domainID, in: tx)
            try AuditStore.record(
                origin.event(
                    "account.created", target: email, customerID: domain.customerID,
                    detail: ["quota_mb": "\(draft.quotaMB)"]), in: tx)
            return id
        }
        return try await find(id, scope: .everything)
    }

    static func insert(_ draft: Draft, email: String, domainID: Int64, in tx: Transaction) throws -> Int64 {
        do {
            let id = try tx.execute(
                """
                INSERT INTO accounts (domain_id, email, password_hash, quota_mb, send_limit, display_name, created_at)
                VALUES (\(domainID), \(email), \(draft.passwordHash), \(draft.quotaMB), \(draft.sendLimit),
                  \(draft.displayName), \(Timestamp.now()))
                """
            ).lastInsertID
            try DomainTotals.change(domainID: domainID, accounts: 1, quotaMB: draft.quotaMB, in: tx)
            return id
        } catch let error as MariaDBError where error.isDuplicateKey {
            throw Failure.conflict(
                "account_exists", "The mailbox \(email) exists already, or is deleted and not yet gone.")
        }
    }

    /// - Parameter id: Of the mailbox that is to have the address, where it is there already.
    /// - Throws: `Failure` `conflict` when an alias has the address, when another mailbox's mail is still where this one's
    ///   would be, or the domain has no mailboxes of its own.
    static func checkFree(_ email: String, domainID: Int64, for id: Int64? = nil, in tx: Transaction) throws {
        try DomainTotals.lock(domainID: domainID, in: tx)
        let parts = email.split(separator: "@")
        let localPart = parts.first ?? "", home = parts.reversed().joined(separator: "/")
        guard try tx.query("SELECT id FROM aliases WHERE domain_id = \(domainID) AND source = \(localPart)").isEmpty
        else { throw Failure.conflict("alias_exists", "The alias \(email) has this address.") }
        let tenant = try tx.query(
            "SELECT id FROM accounts WHERE is_moving = TRUE AND home = \(home) AND id <> \(id ?? 0)")
        guard tenant.isEmpty else {
            throw Failure.conflict(
                "account_moving", "The mailbox that had the address \(email) is just being renamed; try again shortly.")
        }
        guard try tx.query("SELECT id FROM domains WHERE id = \(domainID) AND alias_of IS NOT NULL").isEmpty else {
            throw Failure.conflict("domain_is_alias", "This domain leads to another one; make the mailbox there.")
        }
    }

    /// - Throws: `Failure.notFound` also for a mailbox outside the scope, and for one that is deleted.
    public func find(_ id: Int64, scope: Scope) async throws -> Account {
        guard
            let account = try await list(where: "a.id = \(id) AND \(Self.exists) AND \(SQL.accountVisible(to: scope))")
                .first
        else { throw Failure.notFound("This mailbox") }
        return account
    }

    /// The mailbox of that address; nil also for one outside the scope.
    public func find(email: String, scope: Scope) async throws -> Account? {
        try await list(where: "a.email = \(email) AND \(Self.exists) AND \(SQL.accountVisible(to: scope))").first
    }

    /// The mailbox as it is, and stays until the transaction ends: since somebody found it, it may have been renamed or
    /// deleted.
    /// - Throws: `Failure.notFound` for one that is deleted.
    static func hold(_ id: Int64, in tx: Transaction) throws -> Account {
        guard try !tx.query("SELECT id FROM accounts WHERE id = \(id) AND deleted_at IS NULL FOR UPDATE").isEmpty,
            let account = try accounts(tx.query(select(where: "a.id = \(id)"))).first
        else { throw Failure.notFound("This mailbox") }
        return account
    }

    /// Changes the password, and in the same transaction revokes every token and deletes every app password of the
    /// mailbox.
    /// - Returns: The revocation to announce.
    public func setPassword(
        _ id: Int64, hash: String, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Revocation {
        _ = try await find(id, scope: scope)
        return try await database.transaction { tx in
            let account = try Self.hold(id, in: tx)
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
        _ = try await find(id, scope: scope)
        return try await database.transaction { tx in
            let account = try Self.hold(id, in: tx)
            try Self.record(suspended ? "account.suspended" : "account.unsuspended", account, by: origin, in: tx)
            try tx.execute("UPDATE accounts SET status = \(suspended ? "suspended" : "active") WHERE id = \(id)")
            return suspended ? try RevocationStore.add(.account, account.email, in: tx) : nil
        }
    }

    /// The mailbox of that address with its password hash, for a login or an introspection.
    public func login(email: String) async throws -> Login? { try await login(where: "a.email = \(email)") }

    /// The mailbox of that id, likewise.
    public func login(id: Int64) async throws -> Login? { try await login(where: "a.id = \(id)") }

    /// How many recipients an hour a mailbox may send to; nil for the platform's own limit.
    public func sendLimit(email: String) async throws -> Int? {
        try await database.query("SELECT send_limit FROM accounts WHERE email = \(email)").first?.optionalInt(
            "send_limit")
    }

    /// Notes a login.
    public func recordLogin(_ id: Int64) async throws {
        try await database.execute("UPDATE accounts SET last_login = \(Timestamp.now()) WHERE id = \(id)")
    }

    /// The addresses of all active mailboxes, in order.
    public func activeEmails() async throws -> [String] {
        try await database.query("SELECT email FROM dovecot_users WHERE active ORDER BY email")
            .map { try $0.string("email") }
    }

    static func record(
        _ action: String, _ account: Account, _ detail: [String: String] = [:], by origin: AuditStore.Origin,
        in tx: Transaction
    ) throws {
        let row = try tx.query("SELECT customer_id FROM domains WHERE id = \(account.domainID)").first
        try AuditStore.record(
            origin.event(
                action, target: account.email, customerID: try row?.int64("customer_id"), detail: detail), in: tx)
    }

    /// Of `accounts a` and `domains d`: whether the mailbox is there, that is, not deleted.
    static let exists: SQL = "(a.deleted_at IS NULL AND d.deleted_at IS NULL)"

    /// Of `accounts a`, `domains d` and `customers c`: whether the mailbox may be used.
    static let isActive: SQL = """
        (a.status = 'active' AND d.status <> 'suspended' AND c.status = 'active' AND \(exists))
        """

    private func login(where condition: SQL) async throws -> Login? {
        let rows = try await database.query(
            """
            SELECT a.id, a.email, d.customer_id, a.password_hash,
              \(Self.isActive) AS active
            FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
            WHERE \(condition) AND \(Self.exists)
            """)
        return try rows.first.map { row in
            Login(
                id: try row.int64("id"), email: try row.string("email"), customerID: try row.int64("customer_id"),
                passwordHash: try row.string("password_hash"), isActive: try row.bool("active"))
        }
    }

    func list(where condition: SQL) async throws -> [Account] { try Self.accounts(try await rows(where: condition)) }

    /// What `accounts` reads, and more where it is asked for.
    func rows(_ columns: SQL = "", _ join: SQL = "", where condition: SQL) async throws -> [Row] {
        try await database.query(Self.select(columns, join, where: condition))
    }

    private static func select(_ columns: SQL = "", _ join: SQL = "", where condition: SQL) -> SQL {
        """
        SELECT a.id, a.email, a.domain_id, a.quota_mb, a.send_limit, COALESCE(u.bytes, 0) AS used_bytes,
          COALESCE(u.messages, 0) AS messages,
          IF(a.status = 'active' AND d.status <> 'suspended' AND c.status = 'active', 'active', 'suspended')
            AS status,
          a.display_name, NULLIF(GREATEST(COALESCE(a.last_login, 0), COALESCE(l.last_login, 0) * 1000), 0)
            AS last_login,
          a.created_at, COALESCE(a.deleted_at, d.deleted_at) AS deleted_at, COALESCE(a.purge_at, d.purge_at) AS purge_at
          \(columns)
        FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
          LEFT JOIN mailbox_usage u ON u.username = a.email LEFT JOIN mailbox_logins l ON l.username = a.email
          \(join)
        WHERE \(condition)
        """
    }

    /// The mailboxes of `rows`.
    static func accounts(_ rows: [Row]) throws -> [Account] {
        guard let first = rows.first else { return [] }
        let columns = try Columns(of: first)
        return try rows.map { try account($0, columns) }
    }

    /// Where each column of `rows` stands.
    private struct Columns {
        let id, email, domainID, quotaMB, usedBytes, messages, status, displayName, lastLogin, sendLimit: Int
        let createdAt, deletedAt, purgeAt: Int

        init(of row: Row) throws {
            id = try row.position("id")
            email = try row.position("email")
            domainID = try row.position("domain_id")
            quotaMB = try row.position("quota_mb")
            usedBytes = try row.position("used_bytes")
            messages = try row.position("messages")
            status = try row.position("status")
            displayName = try row.position("display_name")
            lastLogin = try row.position("last_login")
            sendLimit = try row.position("send_limit")
            createdAt = try row.position("created_at")
            deletedAt = try row.position("deleted_at")
            purgeAt = try row.position("purge_at")
        }
    }

    private static func account(_ row: Row, _ columns: Columns) throws -> Account {
        Account(
            id: try row.int64(at: columns.id), email: try row.string(at: columns.email),
            domainID: try row.int64(at: columns.domainID), quotaMB: Int(try row.int64(at: columns.quotaMB)),
            usedMB: Account.megabytes(try row.int64(at: columns.usedBytes)),
            messages: max(0, Int(try row.int64(at: columns.messages))),
            status: Account.Status(rawValue: try row.string(at: columns.status)) ?? .suspended,
            displayName: try row.string(at: columns.displayName),
            lastLogin: try row.optionalInt64(at: columns.lastLogin).map(Timestamp.rfc3339(milliseconds:)),
            sendLimit: try row.optionalInt64(at: columns.sendLimit).map(Int.init),
            createdAt: Timestamp.rfc3339(milliseconds: try row.int64(at: columns.createdAt)),
            deletedAt: try row.optionalInt64(at: columns.deletedAt).map(Timestamp.rfc3339(milliseconds:)),
            purgeAt: try row.optionalInt64(at: columns.purgeAt).map(Timestamp.rfc3339(milliseconds:)))
    }
}
