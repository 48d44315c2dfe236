import MariaDB
public import MailModel

/// The mail domains of the customers.
public struct DomainStore: Sendable {
    let database: Database

    /// What the DNS and the signer need to know of a domain.
    public struct Provisioning: Sendable, Equatable {
        public let id: Int64
        public let domain: DomainName
        public let dkimSelector: String
        /// Base64 of the SubjectPublicKeyInfo (RFC 6376 §3.6.1).
        public let dkimPublicKey: String
    }

    /// - Throws: `Failure` `invalid` for an unknown customer, `conflict` `domain_exists` for a taken name.
    public func create(
        _ domain: DomainName, customerID: Int64, dkimSelector: String, dkimPublicKey: String,
        by origin: AuditStore.Origin
    ) async throws -> Domain {
        let id = try await database.transaction { tx in
            guard try !tx.query("SELECT id FROM customers WHERE id = \(customerID)").isEmpty else {
                throw Failure.invalid("customer_id", code: "unknown", "no customer has this id")
            }
            do {
                let id = try tx.execute(
                    """
                    INSERT INTO domains (customer_id, domain, dkim_selector, dkim_public_key, created_at) VALUES
                    (\(customerID), \(domain.description), \(dkimSelector), \(dkimPublicKey), \(Timestamp.now()))
                    """
                ).lastInsertID
                try AuditStore.record(
                    origin.event("domain.created", target: domain.description, customerID: customerID), in: tx)
                return id
            } catch let error as MariaDBError where error.isDuplicateKey {
                throw Failure.conflict("domain_exists", "This domain is hosted here already.")
            }
        }
        return try await find(id, scope: .everything)
    }

    /// - Throws: `Failure.notFound` also for a domain outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Domain {
        guard let domain = try await list(where: "d.id = \(id) AND \(SQL.domainVisible(to: scope))").first else {
            throw Failure.notFound("This domain")
        }
        return domain
    }

    /// - Parameter search: A part of the name; nil for all.
    public func list(
        _ page: PageRequest, customerID: Int64?, search: String?, scope: Scope
    ) async throws -> Page<Domain> {
        var condition = SQL.domainVisible(to: scope)
        if let customerID { condition = condition + " AND d.customer_id = \(customerID)" }
        if let search {
            // Names are kept as A-labels, in a column of ASCII.
            let wanted = search.utf8.allSatisfy { $0 < 0x80 } ? search : (try? DomainName(search))?.description
            condition = condition + (wanted.map { " AND LOCATE(\($0.lowercased()), d.domain) > 0" } ?? " AND FALSE")
        }
        let domains = try await list(where: condition + " ORDER BY d.domain" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM domains d WHERE \(condition)").first?.int("n")
        return Page(items: domains, request: page, total: total ?? 0)
    }

    /// Suspends or restores a domain; suspending revokes every token of its mailboxes in the same transaction.
    /// - Returns: The revocations to announce.
    public func setSuspended(
        _ id: Int64, _ suspended: Bool, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> [Revocation] {
        let domain = try await find(id, scope: scope)
        return try await database.transaction { tx in
            try AuditStore.record(
                origin.event(
                    suspended ? "domain.suspended" : "domain.unsuspended", target: domain.domain,
                    customerID: domain.customerID), in: tx)
            try tx.execute(
                "UPDATE domains SET status = \(suspended ? "suspended" : "active") WHERE id = \(id)")
            guard suspended else { return [] }
            return try RevocationStore.addAll(accounts: "a.domain_id = \(id)", in: tx)
        }
    }

    /// Whose domain it is, if it is hosted here.
    public func customer(of domain: DomainName) async throws -> Int64? {
        try await database.query("SELECT customer_id FROM domains WHERE domain = \(domain.description)").first?
            .int64("customer_id")
    }

    /// What to write into the DNS for one domain.
    public func provisioning(_ id: Int64) async throws -> Provisioning {
        guard let found = try await provisioning(where: "id = \(id)").first else {
            throw Failure.notFound("This domain")
        }
        return found
    }

    /// The domains whose DNS is still to be written, oldest first.
    public func awaitingDNS(limit: Int = 100) async throws -> [Provisioning] {
        try await provisioning(where: "dns_status = 'pending' ORDER BY id LIMIT \(limit)")
    }

    /// Notes the outcome of an attempt to write the DNS.
    public func setDNS(_ id: Int64, status: Domain.DNS.Status) async throws {
        try await database.execute(
            "UPDATE domains SET dns_status = \(status.rawValue), dns_checked_at = \(Timestamp.now()) WHERE id = \(id)")
    }

    private func provisioning(where condition: SQL) async throws -> [Provisioning] {
        try await database.query("SELECT id, domain, dkim_selector, dkim_public_key FROM domains WHERE \(condition)")
            .map { row in
                Provisioning(
                    id: try row.int64("id"), domain: try DomainName(try row.string("domain")),
                    dkimSelector: try row.string("dkim_selector"), dkimPublicKey: try row.string("dkim_public_key"))
            }
    }

    private func list(where condition: SQL) async throws -> [Domain] {
        try await database.query(
            """
            SELECT d.id, d.domain, d.customer_id, d.status, d.dns_status, d.dns_checked_at, d.created_at,
              (SELECT COUNT(*) FROM accounts a WHERE a.domain_id = d.id) AS accounts,
              (SELECT COUNT(*) FROM aliases s WHERE s.domain_id = d.id) AS aliases,
              CAST((SELECT COALESCE(SUM(a.quota_mb), 0) FROM accounts a WHERE a.domain_id = d.id) AS SIGNED) AS quota_mb,
              CAST((SELECT COALESCE(SUM(u.bytes), 0) FROM accounts a JOIN mailbox_usage u ON u.username = a.email
                    WHERE a.domain_id = d.id) AS SIGNED) AS used_bytes
            FROM domains d WHERE \(condition)
            """
        ).map { row in
            Domain(
                id: try row.int64("id"), domain: try row.string("domain"), customerID: try row.int64("customer_id"),
                status: Domain.Status(rawValue: try row.string("status")) ?? .pending,
                accounts: try row.int("accounts"), aliases: try row.int("aliases"), quotaMB: try row.int("quota_mb"),
                usedMB: Account.megabytes(try row.int64("used_bytes")),
                dns: Domain.DNS(
                    status: Domain.DNS.Status(rawValue: try row.string("dns_status")) ?? .pending,
                    checkedAt: try row.optionalInt64("dns_checked_at").map(Timestamp.rfc3339(milliseconds:))),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
        }
    }
}

extension Account {
    /// Whole MB of 2^20 bytes, rounded up, never negative (Dovecot's counter may briefly be).
    static func megabytes(_ bytes: Int64) -> Int { Int((max(0, bytes) + 1_048_575) / 1_048_576) }
}
