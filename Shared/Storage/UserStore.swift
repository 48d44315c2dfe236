import MariaDB
public import MailModel

/// A person who logs in to the platform.
public struct User: Sendable, Equatable, Codable {
    public let id: Int64
    public let customerID: Int64
    public let email: String
    public let role: Role
    public let status: Account.Status
    /// The addresses of its own mailboxes, oldest first.
    public let accounts: [String]
    /// RFC 3339.
    public let createdAt: String

    enum CodingKeys: String, CodingKey {
        case id, email, role, status, accounts
        case customerID = "customer_id"
        case createdAt = "created_at"
    }
}

/// Users and the mailboxes that are theirs.
public struct UserStore: Sendable {
    let database: Database

    /// What is needed to make a user.
    public struct Draft: Sendable {
        public let customerID: Int64
        public let email: EmailAddress
        public let passwordHash: String
        public let role: Role
        public let accounts: [EmailAddress]

        public init(
            customerID: Int64, email: EmailAddress, passwordHash: String, role: Role, accounts: [EmailAddress]
        ) {
            self.customerID = customerID
            self.email = email
            self.passwordHash = passwordHash
            self.role = role
            self.accounts = accounts
        }
    }

    /// - Throws: `Failure` `invalid` for an unknown customer or a mailbox that is not the customer's, `conflict`
    ///   `user_exists` for a taken address.
    public func create(_ draft: Draft, by origin: AuditStore.Origin) async throws -> User {
        let now = Timestamp.now()
        let emails = draft.accounts.map(\.description)
        let id = try await database.transaction { tx in
            guard try !tx.query("SELECT id FROM customers WHERE id = \(draft.customerID)").isEmpty else {
                throw Failure.invalid("customer_id", code: "unknown", "no customer has this id")
            }
            let id: Int64
            do {
                id = try tx.execute(
                    """
                    INSERT INTO users (customer_id, email, password_hash, role, created_at) VALUES
                    (\(draft.customerID), \(draft.email.description), \(draft.passwordHash), \(draft.role.rawValue), \(now))
                    """
                ).lastInsertID
            } catch let error as MariaDBError where error.isDuplicateKey {
                throw Failure.conflict("user_exists", "A user with this address exists already.")
            }
            try Self.link(emails, to: id, customerID: draft.customerID, in: tx)
            try AuditStore.record(
                origin.event(
                    "user.created", target: draft.email.description, customerID: draft.customerID,
                    detail: ["id": "\(id)", "role": draft.role.rawValue]),
                in: tx)
            return id
        }
        return try await find(id, scope: .everything)
    }

    /// - Throws: `Failure.notFound` also for a user outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> User {
        guard let user = try await list(where: "u.id = \(id) AND \(Self.visible(to: scope))").first else {
            throw Failure.notFound("This user")
        }
        return user
    }

    /// - Parameter search: A part of the address; nil for all.
    public func list(
        _ page: PageRequest, customerID: Int64?, search: String?, scope: Scope
    ) async throws -> Page<User> {
        var condition = Self.visible(to: scope)
        if let customerID { condition += " AND u.customer_id = \(customerID)" }
        if let search { condition += " AND LOCATE(\(search.lowercased()), u.email) > 0" }
        let users = try await list(where: condition + " ORDER BY u.id" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM users u WHERE \(condition)").first?.int("n")
        return Page(items: users, request: page, total: total ?? 0)
    }

    /// The user of that address with its password hash, for a login.
    public func credentials(email: EmailAddress) async throws -> (user: User, passwordHash: String)? {
        let rows = try await database.query(
            "SELECT id, password_hash FROM users WHERE email = \(email.description)")
        guard let row = rows.first else { return nil }
        return (try await find(try row.int64("id"), scope: .everything), try row.string("password_hash"))
    }

    private func list(where condition: SQL) async throws -> [User] {
        let users = try await database.query(
            """
            SELECT u.id, u.customer_id, u.email, u.role, IF(c.status = 'suspended', 'suspended', u.status) AS status,
              u.created_at,
              (SELECT GROUP_CONCAT(a.email ORDER BY a.id SEPARATOR ' ') FROM user_accounts l
               JOIN accounts a ON a.id = l.account_id WHERE l.user_id = u.id AND a.deleted_at IS NULL) AS accounts
            FROM users u JOIN customers c ON c.id = u.customer_id WHERE \(condition)
            """)
        return try users.map { row in
            User(
                id: try row.int64("id"), customerID: try row.int64("customer_id"), email: try row.string("email"),
                role: Role(rawValue: try row.string("role")) ?? .member,
                status: Account.Status(rawValue: try row.string("status")) ?? .suspended,
                accounts: try row.optionalString("accounts")?.split(separator: " ").map(String.init) ?? [],
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
        }
    }

    private static func visible(to scope: Scope) -> SQL {
        switch scope {
        case .everything: "TRUE"
        case .customer(let id): "u.customer_id = \(id)"
        case .accounts, .limited: "FALSE"
        }
    }
}
