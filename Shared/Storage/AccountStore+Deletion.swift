import MariaDB
public import MailModel

extension AccountStore {
    /// The right to end a mailbox whose time is over: nobody else has it until its lease ends, and longer while nobody
    /// else asks. Its name is free for another mailbox as soon as the row is gone, so that whoever comes too late must
    /// not touch what bears that name.
    public struct Purge: Sendable, Equatable {
        public let id: Int64
        public let email: String
        /// Below the mail store.
        public let home: String
        /// Where its address says that its home is to be; another than `home` while it is to be moved.
        public let target: String
        var lease: Int64
    }

    /// How long a purge may take before somebody else goes on with it, milliseconds: longer than the DNS server has to
    /// answer.
    static let purgeLease: Int64 = 10_000

    /// Deletes a mailbox: it is shut at once, takes no mail, and is gone for good after a while.
    ///
    /// - Parameter purgeAt: Milliseconds since 1970.
    /// - Returns: The revocation to announce.
    public func delete(
        _ id: Int64, purgeAt: Int64, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Revocation {
        _ = try await find(id, scope: scope)
        return try await database.transaction { tx in
            let account = try Self.hold(id, in: tx)
            try tx.execute(
                "UPDATE accounts SET deleted_at = \(Timestamp.now()), purge_at = \(purgeAt) WHERE id = \(id)")
            try DomainTotals.change(domainID: account.domainID, accounts: -1, quotaMB: -account.quotaMB, in: tx)
            try Self.record(
                "account.deleted", account, ["purge_at": Timestamp.rfc3339(milliseconds: purgeAt)], by: origin, in: tx)
            return try RevocationStore.add(.account, account.email, in: tx)
        }
    }

    /// A mailbox that is deleted and not yet gone.
    /// - Throws: `Failure.notFound`.
    public func findDeleted(_ id: Int64, scope: Scope) async throws -> Account {
        let condition: SQL = """
            a.id = \(id) AND a.deleted_at IS NOT NULL AND d.deleted_at IS NULL AND \(SQL.accountVisible(to: scope))
            """
        guard let account = try await list(where: condition).first else {
            throw Failure.notFound("This deleted mailbox")
        }
        return account
    }

    /// Has a deleted mailbox gone at once.
    /// - Returns: The right to end it; nil when somebody is doing so already.
    /// - Throws: `Failure.notFound` for one that is not deleted.
    public func purge(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws -> Purge? {
        let account = try await findDeleted(id, scope: scope)
        return try await database.transaction { tx in
            let outcome = try tx.execute(
                "UPDATE accounts SET purge_at = \(Timestamp.now()) WHERE id = \(id) AND deleted_at IS NOT NULL")
            // It may have been restored since it was found.
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This deleted mailbox") }
            try Self.record("account.purge_requested", account, by: origin, in: tx)
            return try Self.claim(id, in: tx)
        }
    }

    /// Takes the right to end a mailbox whose time is over; nil when another has it, or it is gone.
    public func claimPurge(_ id: Int64) async throws -> Purge? {
        try await database.transaction { try Self.claim(id, in: $0) }
    }

    private static func claim(_ id: Int64, in tx: Transaction) throws -> Purge? {
        let now = Timestamp.now(), lease = now + purgeLease
        let outcome = try tx.execute(
            """
            UPDATE accounts SET purge_lease = \(lease) WHERE id = \(id) AND deleted_at IS NOT NULL
              AND purge_at <= \(now) AND (purge_lease IS NULL OR purge_lease <= \(now))
            """)
        guard outcome.affectedRows == 1 else { return nil }
        return try tx.query(
            """
            SELECT a.id, a.email, a.home, CONCAT(d.domain, '/', SUBSTRING_INDEX(a.email, '@', 1)) AS target
            FROM accounts a JOIN domains d ON d.id = a.domain_id WHERE a.id = \(id)
            """
        ).first.map { row in
            let target = try row.string("target")
            return Purge(
                id: try row.int64("id"), email: try row.string("email"),
                home: try row.optionalString("home") ?? target, target: target, lease: lease)
        }
    }

    /// Keeps the right for a while longer; nil when another has taken it meanwhile.
    public func renew(_ purge: Purge) async throws -> Purge? {
        var held = purge
        held.lease = max(Timestamp.now() + Self.purgeLease, purge.lease + 1)
        let outcome = try await database.execute(
            "UPDATE accounts SET purge_lease = \(held.lease) WHERE id = \(purge.id) AND purge_lease = \(purge.lease)")
        return outcome.affectedRows == 1 ? held : nil
    }

    /// Takes a deletion back.
    /// - Throws: `Failure.notFound` for one that is not deleted, or whose time is over; `conflict` `limit_reached`.
    public func restore(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws -> Account {
        let account = try await findDeleted(id, scope: scope)
        let domain = try await database.domains.reach(account.domainID, scope: .everything)
        try await database.transaction { tx in
            let row = try tx.query(
                """
                SELECT quota_mb FROM accounts WHERE id = \(id) AND deleted_at IS NOT NULL
                  AND purge_at > \(Timestamp.now()) AND purge_lease IS NULL FOR UPDATE
                """
            ).first
            guard let quota = try row?.int("quota_mb") else { throw Failure.notFound("This deleted mailbox") }
            try LimitStore.admit(accounts: 1, quotaMB: quota, customerID: domain.customerID, in: tx)
            try tx.execute("UPDATE accounts SET deleted_at = NULL, purge_at = NULL WHERE id = \(id)")
            try DomainTotals.change(domainID: account.domainID, accounts: 1, quotaMB: quota, in: tx)
            try Self.record("account.restored", account, by: origin, in: tx)
        }
        return try await find(id, scope: .everything)
    }

    /// The mailboxes whose time is over and which nobody is ending, as ids.
    public func awaitingPurge(limit: Int = 100) async throws -> [Int64] {
        let now = Timestamp.now()
        return try await database.query(
            """
            SELECT id FROM accounts WHERE purge_at <= \(now) AND (purge_lease IS NULL OR purge_lease <= \(now))
            ORDER BY purge_at LIMIT \(limit)
            """
        ).map { try $0.int64("id") }
    }

    /// Forgets a deleted mailbox; its mail must be gone before. Does nothing when another has taken the right meanwhile.
    public func remove(_ purge: Purge) async throws {
        try await database.transaction { tx in
            let row = try tx.query(
                """
                SELECT d.customer_id FROM accounts a JOIN domains d ON d.id = a.domain_id
                WHERE a.id = \(purge.id) AND a.deleted_at IS NOT NULL AND a.purge_lease = \(purge.lease) FOR UPDATE
                """
            ).first
            guard let row else { return }
            try Self.forget([purge.email], in: tx)
            try AuditStore.record(
                AuditStore.Origin.worker.event(
                    "account.purged", target: purge.email, customerID: try row.int64("customer_id")), in: tx)
        }
    }

    /// Forgets some mailboxes of a deleted domain.
    /// - Returns: Whether there may be more.
    func removeSome(ofDeletedDomain id: Int64) async throws -> Bool {
        let batch = 500
        return try await database.transaction { tx in
            let emails = try tx.query(
                """
                SELECT a.email FROM accounts a JOIN domains d ON d.id = a.domain_id
                WHERE d.id = \(id) AND d.deleted_at IS NOT NULL LIMIT \(batch)
                """
            ).map { try $0.string("email") }
            try Self.forget(emails, in: tx)
            return emails.count == batch
        }
    }

    private static func forget(_ emails: [String], in tx: Transaction) throws {
        guard !emails.isEmpty else { return }
        try tx.execute("DELETE FROM mailbox_usage WHERE username IN (\(list: emails))")
        try tx.execute("DELETE FROM mailbox_logins WHERE username IN (\(list: emails))")
        try tx.execute("DELETE FROM outbox WHERE mailbox IN (\(list: emails))")
        try tx.execute("DELETE FROM uploads WHERE mailbox IN (\(list: emails))")
        try WebhookStore.end(ofMailboxes: emails, in: tx)
        let subjects = try tx.query("SELECT id FROM accounts WHERE email IN (\(list: emails))").map {
            try "account:\($0.int64("id"))"
        }
        if !subjects.isEmpty {
            try tx.execute("DELETE FROM totp_secrets WHERE subject IN (\(list: subjects))")
            try tx.execute("DELETE FROM recovery_codes WHERE subject IN (\(list: subjects))")
        }
        try tx.execute("DELETE FROM accounts WHERE email IN (\(list: emails))")
    }
}
