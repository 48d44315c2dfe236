import MariaDB
public import MailModel

extension UserStore {
    /// What is to be different; nil stays as it is.
    public struct Change: Sendable {
        public var email: EmailAddress?
        public var role: Role?
        public var accounts: [EmailAddress]?
        public var status: Account.Status?
        public var passwordHash: String?

        public init(
            email: EmailAddress? = nil, role: Role? = nil, accounts: [EmailAddress]? = nil,
            status: Account.Status? = nil, passwordHash: String? = nil
        ) {
            self.email = email
            self.role = role
            self.accounts = accounts
            self.status = status
            self.passwordHash = passwordHash
        }

        /// The audit log's word for it.
        fileprivate var action: String {
            if passwordHash != nil { return "user.password_changed" }
            guard let status, email == nil, role == nil, accounts == nil else { return "user.changed" }
            return status == .suspended ? "user.suspended" : "user.unsuspended"
        }

        /// What changed, for the audit log.
        fileprivate var detail: [String: String] {
            var detail: [String: String] = [:]
            detail["email"] = email?.description
            detail["role"] = role?.rawValue
            detail["accounts"] = accounts?.map(\.description).joined(separator: " ")
            detail["status"] = status?.rawValue
            return detail
        }

        /// Whether tokens that were issued before still say what is true.
        fileprivate var leavesTokensAlone: Bool {
            email == nil && role == nil && accounts == nil && passwordHash == nil && status != .suspended
        }
    }

    /// Changes a user, and in the same transaction ends what its old tokens opened.
    ///
    /// - Returns: The revocation to announce, if any.
    /// - Throws: `Failure`: `notFound` also for a user outside the scope; `conflict` `user_exists`, and `last_admin`
    ///   when a customer would be left without an active one by one of its own; `invalid` for a mailbox of another.
    public func change(
        _ id: Int64, _ change: Change, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Revocation? {
        let user = try await find(id, scope: scope)
        return try await database.transaction { tx in
            if change.role == .member || change.status == .suspended {
                try Self.keepAnAdmin(without: user, scope: scope, in: tx)
            }
            do {
                try tx.execute(
                    """
                    UPDATE users SET email = COALESCE(\(change.email?.description), email),
                      role = COALESCE(\(change.role?.rawValue), role),
                      status = COALESCE(\(change.status?.rawValue), status),
                      password_hash = COALESCE(\(change.passwordHash), password_hash) WHERE id = \(id)
                    """)
            } catch let error as MariaDBError where error.isDuplicateKey {
                throw Failure.conflict("user_exists", "A user with this address exists already.")
            }
            // Before its mailboxes are others: the live sessions of those it had end.
            let revocation = change.leavesTokensAlone ? nil : try RevocationStore.add(.user, "user:\(id)", in: tx)
            if let accounts = change.accounts {
                try tx.execute("DELETE FROM user_accounts WHERE user_id = \(id)")
                try Self.link(accounts.map(\.description), to: id, customerID: user.customerID, in: tx)
            }
            try AuditStore.record(
                origin.event(change.action, target: user.email, customerID: user.customerID, detail: change.detail),
                in: tx)
            return revocation
        }
    }

    /// Deletes a user with its second factor; its mailboxes stay.
    ///
    /// - Returns: The revocation to announce.
    /// - Throws: `Failure`: `notFound`, `conflict` `last_admin`, as `change`.
    public func delete(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws -> Revocation {
        let user = try await find(id, scope: scope)
        return try await database.transaction { tx in
            try Self.keepAnAdmin(without: user, scope: scope, in: tx)
            let revocation = try RevocationStore.add(.user, "user:\(id)", in: tx)
            try tx.execute("DELETE FROM totp_secrets WHERE subject = \("user:\(id)")")
            try tx.execute("DELETE FROM recovery_codes WHERE subject = \("user:\(id)")")
            try tx.execute("DELETE FROM users WHERE id = \(id)")
            try AuditStore.record(
                origin.event("user.deleted", target: user.email, customerID: user.customerID), in: tx)
            return revocation
        }
    }

    /// Who acts within a customer may not shut it out; the platform may.
    private static func keepAnAdmin(without user: User, scope: Scope, in tx: Transaction) throws {
        guard scope != .everything, user.role == .admin, user.status == .active else { return }
        let others = try tx.query(
            """
            SELECT id FROM users WHERE customer_id = \(user.customerID) AND role = 'admin' AND status = 'active'
            FOR UPDATE
            """
        ).filter { try $0.int64("id") != user.id }
        guard !others.isEmpty else {
            throw Failure.conflict("last_admin", "This is the last active admin; make another one first.")
        }
    }

    /// - Throws: `Failure` `invalid` for a mailbox that is not the customer's.
    static func link(_ emails: [String], to id: Int64, customerID: Int64, in tx: Transaction) throws {
        for (index, email) in emails.enumerated() {
            let linked = try tx.execute(
                """
                INSERT IGNORE INTO user_accounts (user_id, account_id)
                SELECT \(id), a.id FROM accounts a JOIN domains d ON d.id = a.domain_id
                WHERE a.email = \(email) AND d.customer_id = \(customerID) AND \(AccountStore.exists)
                """)
            guard linked.affectedRows == 1 else {
                throw Failure.invalid(
                    "accounts.\(index)", code: "unknown", "must name a mailbox of this customer, once")
            }
        }
    }
}
