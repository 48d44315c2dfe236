import MariaDB
public import MailModel

extension AccountStore {
    /// What of a mailbox is to change; what is nil stays.
    public struct Change: Sendable, Equatable {
        /// MB of 2^20 bytes.
        public var quotaMB: Int?
        public var displayName: String?
        /// Recipients an hour; `.some(nil)` for the platform's own limit.
        public var sendLimit: Int??
        /// A new name within its domain. The old address stays as an alias.
        public var localPart: String?

        public init(
            quotaMB: Int? = nil, displayName: String? = nil, sendLimit: Int?? = nil, localPart: String? = nil
        ) {
            self.quotaMB = quotaMB
            self.displayName = displayName
            self.sendLimit = sendLimit
            self.localPart = localPart
        }
    }

    /// A mailbox whose home is to be where its address says.
    public struct Move: Sendable, Equatable {
        public let id: Int64
        /// Both below the mail store.
        public let from: String
        public let to: String
    }

    /// Changes what is given. A new name revokes every token, since they bear the old one; the mail is still where it was
    /// and has to be moved (`awaitingMove`), which is why the mailbox is shut until then.
    /// - Returns: The revocation to announce, if any.
    /// - Throws: `Failure`: `notFound`; `invalid`, `conflict` as `create`.
    public func update(
        _ id: Int64, _ change: Change, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Revocation? {
        let found = try await find(id, scope: scope)
        let domain = try await database.domains.reach(found.domainID, scope: .everything)
        let renamed = try change.localPart.map { try Self.address($0, of: domain.name).description }
        return try await database.transaction { tx in
            let account = try Self.hold(id, in: tx)
            if let quota = change.quotaMB {
                let more = quota - account.quotaMB
                try LimitStore.admit(quotaMB: more, customerID: domain.customerID, in: tx)
                try DomainTotals.change(domainID: account.domainID, quotaMB: more, in: tx)
            }
            try tx.execute(
                """
                UPDATE accounts SET quota_mb = COALESCE(\(change.quotaMB), quota_mb),
                  display_name = COALESCE(\(change.displayName), display_name),
                  send_limit = IF(\(change.sendLimit != nil), \(change.sendLimit ?? nil), send_limit)
                WHERE id = \(id)
                """)
            try Self.record("account.changed", account, Self.changes(account, change), by: origin, in: tx)
            guard let renamed, renamed != account.email else { return nil }
            return try Self.rename(account, to: renamed, domain: domain.name, in: tx)
        }
    }

    private static func changes(_ account: Account, _ change: Change) -> [String: String] {
        var changes = AuditStore.Changes()
        changes.add("quota_mb", "\(account.quotaMB)", change.quotaMB.map(String.init))
        changes.add("display_name", account.displayName, change.displayName)
        func text(_ limit: Int?) -> String { limit.map(String.init) ?? "default" }
        changes.add("send_limit", text(account.sendLimit), change.sendLimit.map(text))
        let localPart = String(account.email.prefix { $0 != "@" })
        changes.add("local_part", localPart, change.localPart?.lowercased())
        return changes.fields
    }

    private static func rename(
        _ account: Account, to email: String, domain: DomainName, in tx: Transaction
    ) throws -> Revocation {
        try checkFree(email, domainID: account.domainID, for: account.id, in: tx)
        // Its tokens are found by the old address.
        let revocation = try RevocationStore.add(.account, account.email, in: tx)
        let old = account.email.prefix { $0 != "@" }
        do {
            try tx.execute(
                """
                UPDATE accounts SET home = COALESCE(home, \("\(domain)/\(old)")), is_moving = TRUE, email = \(email)
                WHERE id = \(account.id)
                """)
        } catch let error as MariaDBError where error.isDuplicateKey {
            throw Failure.conflict(
                "account_exists", "The mailbox \(email) exists already, or is deleted and not yet gone.")
        }
        // Dovecot may have counted a mailbox that had the new name before.
        try tx.execute("DELETE FROM mailbox_usage WHERE username = \(email)")
        try tx.execute("DELETE FROM mailbox_logins WHERE username = \(email)")
        for (table, column) in [
            ("mailbox_usage", "username"), ("mailbox_logins", "username"), ("outbox", "mailbox"),
            ("uploads", "mailbox"),
            ("alias_destinations", "destination"),
        ] {
            try tx.execute(
                """
                UPDATE \(unsafeRaw: table) SET \(unsafeRaw: column) = \(email)
                WHERE \(unsafeRaw: column) = \(account.email)
                """)
        }
        // What is still addressed to the old name arrives, and what is still to be sent from it may leave.
        try AliasStore.insert(
            domainID: account.domainID, source: String(old), destinations: [email], sendAs: true, in: tx)
        return revocation
    }

    /// The mailboxes whose homes are to be moved, oldest first.
    public func awaitingMove() async throws -> [Move] {
        try await database.query(
            """
            SELECT a.id, a.home, CONCAT(d.domain, '/', SUBSTRING_INDEX(a.email, '@', 1)) AS target
            FROM accounts a JOIN domains d ON d.id = a.domain_id
            WHERE a.is_moving = TRUE ORDER BY a.id LIMIT 100
            """
        ).map { row in
            let target = try row.string("target")
            return Move(
                id: try row.int64("id"), from: try row.optionalString("home") ?? target, to: target)
        }
    }

    /// Whether it is still to be done. When another has done it, the old name may be another mailbox's by now.
    public func awaits(_ move: Move) async throws -> Bool {
        try await !database.query(
            "SELECT id FROM accounts WHERE id = \(move.id) AND is_moving AND COALESCE(home, \(move.from)) = \(move.from)"
        ).isEmpty
    }

    /// The move is done: the mailbox opens again, unless it was renamed once more meanwhile, and what was moved is not yet
    /// where it is to be.
    public func endMove(_ move: Move) async throws {
        try await database.transaction { tx in
            let row = try tx.query(
                """
                SELECT CONCAT(d.domain, '/', SUBSTRING_INDEX(a.email, '@', 1)) AS target
                FROM accounts a JOIN domains d ON d.id = a.domain_id
                WHERE a.id = \(move.id) AND a.is_moving AND COALESCE(a.home, \(move.from)) = \(move.from) FOR UPDATE
                """
            ).first
            guard let target = try row?.string("target") else { return }
            let home: String? = target == move.to ? nil : move.to
            try tx.execute(
                "UPDATE accounts SET home = \(home), is_moving = \(home != nil) WHERE id = \(move.id)")
        }
    }

    // MARK: sending as others

    /// The addresses that a mailbox may send as without receiving for them.
    public func sendAs(_ id: Int64, scope: Scope) async throws -> [String] {
        _ = try await find(id, scope: scope)
        return try await database.query(
            "SELECT CONCAT(local_part, '@', domain) AS address FROM send_as WHERE account_id = \(id) ORDER BY domain, local_part"
        ).map { try $0.string("address") }
    }

    /// - Throws: `Failure`: `notFound`; `invalid` for an address at a domain that is not this customer's.
    public func setSendAs(
        _ id: Int64, _ addresses: [EmailAddress], scope: Scope, by origin: AuditStore.Origin
    ) async throws {
        let account = try await find(id, scope: scope)
        let before = try await sendAs(id, scope: .everything)
        // A caller that is limited to domains gives no address of others.
        let reach: SQL =
            if case .limited(let limits) = scope { "x.domain IN (\(list: limits.domains))" } else { "TRUE" }
        try await database.transaction { tx in
            try tx.execute("DELETE FROM send_as WHERE account_id = \(id)")
            for (index, address) in addresses.enumerated() {
                let outcome = try tx.execute(
                    """
                    INSERT IGNORE INTO send_as (account_id, local_part, domain)
                    SELECT \(id), \(address.localPart), x.domain FROM domains x
                    JOIN domains d ON d.customer_id = x.customer_id
                    WHERE d.id = \(account.domainID) AND x.domain = \(address.domain.description)
                      AND x.deleted_at IS NULL AND \(reach)
                    """)
                guard outcome.affectedRows == 1 || addresses[..<index].contains(address) else {
                    throw Failure.invalid(
                        "addresses.\(index)", code: "not_yours",
                        "must be at a domain that the mailbox's customer has here")
                }
            }
            var changes = AuditStore.Changes()
            changes.add(
                "addresses", before.joined(separator: " "), addresses.map(\.description).sorted().joined(separator: " ")
            )
            try Self.record("account.send_as_changed", account, changes.fields, by: origin, in: tx)
        }
    }
}
