import MariaDB
public import MailModel

/// The mail domains of the customers.
public struct DomainStore: Sendable {
    let database: Database

    /// What a new domain is made of.
    public struct Draft: Sendable, Equatable {
        public var name: DomainName
        public var customerID: Int64
        /// The domain whose mailboxes it leads to.
        public var aliasOf: Int64?
        /// The customer keeps its DNS by hand.
        public var hasManualDNS: Bool
        /// Whether its records may go into a zone that was not made here.
        public var takesZones: Bool
        public var keys: [DKIMKey]

        public init(
            name: DomainName, customerID: Int64, aliasOf: Int64? = nil, hasManualDNS: Bool = false,
            takesZones: Bool = true, keys: [DKIMKey]
        ) {
            self.name = name
            self.customerID = customerID
            self.aliasOf = aliasOf
            self.hasManualDNS = hasManualDNS
            self.takesZones = takesZones
            self.keys = keys
        }
    }

    /// Which domains are wanted; what is nil does not matter.
    public struct Filter: Sendable, Equatable {
        public enum Order: String, Sendable, CaseIterable {
            case domain, created_at
        }

        public var customerID: Int64?
        /// A part of the name.
        public var search: String?
        public var status: Domain.Status?
        public var dns: Domain.DNS.Status?
        /// Those that are deleted and not yet gone, instead of those that are there.
        public var deleted = false
        public var order = Order.domain
        public var isDescending = false

        public init() {}
    }

    /// - Throws: `Failure` `invalid` for an unknown customer or target, `conflict` `domain_exists` for a taken name,
    ///   `limit_reached`.
    public func create(_ draft: Draft, by origin: AuditStore.Origin) async throws -> Domain {
        let now = Timestamp.now()
        let id = try await database.transaction { tx in
            try LimitStore.admit(domains: 1, customerID: draft.customerID, in: tx)
            try Self.check(aliasOf: draft.aliasOf, customerID: draft.customerID, in: tx)
            let id = try Self.insert(draft, at: now, in: tx)
            try DKIMKeyStore.insert(draft.keys, domainID: id, state: .active, in: tx)
            try AuditStore.record(
                origin.event(
                    "domain.created", target: draft.name.description, customerID: draft.customerID), in: tx)
            return id
        }
        return Domain(
            id: id, domain: draft.name.description, customerID: draft.customerID, aliasOf: draft.aliasOf,
            status: .active, accounts: 0, aliases: 0, quotaMB: 0, usedMB: 0,
            dns: .init(status: draft.hasManualDNS ? .manual : .pending, checkedAt: nil),
            createdAt: Timestamp.rfc3339(milliseconds: now))
    }

    public static let exists = Failure.conflict(
        "domain_exists", "This domain is hosted here already, or is deleted and not yet gone.")

    private static func insert(_ draft: Draft, at now: Int64, in tx: Transaction) throws -> Int64 {
        let main = draft.keys.first { $0.algorithm == .rsa } ?? draft.keys.first
        do {
            return try tx.execute(
                """
                INSERT INTO domains (customer_id, alias_of, domain, dkim_selector, dkim_public_key, dns_mode, dns_status,
                  takes_zones, created_at) VALUES
                (\(draft.customerID), \(draft.aliasOf), \(draft.name.description), \(main?.selector ?? ""),
                 \(main?.publicKey ?? ""), \(draft.hasManualDNS ? "manual" : "automatic"),
                 \(draft.hasManualDNS ? "manual" : "pending"), \(draft.takesZones), \(now))
                """
            ).lastInsertID
        } catch let error as MariaDBError where error.isDuplicateKey {
            throw exists
        } catch let error as MariaDBError where error.isForeignKeyViolation {
            throw Failure.invalid("customer_id", code: "unknown", "no customer has this id")
        }
    }

    private static func check(aliasOf target: Int64?, customerID: Int64, in tx: Transaction) throws {
        guard let target else { return }
        let found = try tx.query(
            """
            SELECT alias_of FROM domains WHERE id = \(target) AND customer_id = \(customerID) AND deleted_at IS NULL
            LOCK IN SHARE MODE
            """
        ).first
        guard let found else {
            throw Failure.invalid("alias_of", code: "unknown", "no domain of this customer has this id")
        }
        guard try found.optionalInt64("alias_of") == nil else {
            throw Failure.invalid("alias_of", code: "is_alias", "must name a domain with mailboxes of its own")
        }
    }

    /// - Throws: `Failure.notFound` also for a domain outside the scope, and for one that is deleted.
    public func find(_ id: Int64, scope: Scope) async throws -> Domain {
        let condition: SQL = "d.id = \(id) AND d.deleted_at IS NULL AND \(SQL.domainVisible(to: scope))"
        guard let domain = try await list(where: condition).first else { throw Failure.notFound("This domain") }
        return domain
    }

    /// A domain that is deleted and not yet gone.
    /// - Throws: `Failure.notFound`.
    public func findDeleted(_ id: Int64, scope: Scope) async throws -> Domain {
        let condition: SQL = "d.id = \(id) AND d.deleted_at IS NOT NULL AND \(SQL.domainVisible(to: scope))"
        guard let domain = try await list(where: condition).first else { throw Failure.notFound("This deleted domain") }
        return domain
    }

    /// The domain of that name; nil also for one outside the scope.
    public func find(name: DomainName, scope: Scope) async throws -> Domain? {
        try await list(
            where: "d.domain = \(name.description) AND d.deleted_at IS NULL AND \(SQL.domainVisible(to: scope))"
        ).first
    }

    public func list(_ filter: Filter, _ page: PageRequest, scope: Scope) async throws -> Page<Domain> {
        let condition = ([SQL.domainVisible(to: scope)] + filter.conditions).joined(separator: " AND ")
        let domains = try await list(where: condition + filter.ordering + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM domains d WHERE \(condition)").first?.int("n")
        return Page(items: domains, request: page, total: total ?? 0)
    }

    /// Changes what is given.
    /// - Throws: `Failure.notFound`.
    public func update(
        _ id: Int64, clientLogin: Domain.ClientLogin?, hasManualDNS: Bool?, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Domain {
        let before = try await find(id, scope: scope)
        try await database.transaction { tx in
            if let clientLogin {
                try tx.execute("UPDATE domains SET client_login = \(clientLogin.rawValue) WHERE id = \(id)")
            }
            if let hasManualDNS, hasManualDNS != (before.dns.status == .manual) {
                try tx.execute(
                    """
                    UPDATE domains SET dns_mode = \(hasManualDNS ? "manual" : "automatic"),
                      dns_status = \(hasManualDNS ? "manual" : "pending"), dns_detail = NULL,
                      dns_version = dns_version + 1, dns_keys_only = FALSE WHERE id = \(id)
                    """)
            }
            var changes = AuditStore.Changes()
            changes.add("client_login", before.clientLogin.rawValue, clientLogin?.rawValue)
            changes.add(
                "dns", before.dns.status == .manual ? "manual" : "automatic",
                hasManualDNS.map { $0 ? "manual" : "automatic" })
            try AuditStore.record(
                origin.event(
                    "domain.changed", target: before.domain, customerID: before.customerID, detail: changes.fields),
                in: tx)
        }
        return try await find(id, scope: .everything)
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

    /// The customer and name of a domain, without what it costs to count what is in it.
    /// - Throws: `Failure.notFound` as `find`.
    public func reach(_ id: Int64, scope: Scope) async throws -> (name: DomainName, customerID: Int64) {
        let rows = try await database.query(
            """
            SELECT d.domain, d.customer_id FROM domains d
            WHERE d.id = \(id) AND d.deleted_at IS NULL AND \(SQL.domainVisible(to: scope))
            """)
        guard let row = rows.first else { throw Failure.notFound("This domain") }
        return (try DomainName(try row.string("domain")), try row.int64("customer_id"))
    }

    /// The id of the domain of that name; nil also for one outside the scope.
    public func id(of name: DomainName, scope: Scope) async throws -> Int64? {
        try await database.query(
            """
            SELECT d.id FROM domains d
            WHERE d.domain = \(name.description) AND d.deleted_at IS NULL AND \(SQL.domainVisible(to: scope))
            """
        ).first?.int64("id")
    }

    /// What a mail program is to log in to a domain with at first; nil for one that is not hosted here, or suspended.
    public func clientLogin(of name: DomainName) async throws -> Domain.ClientLogin? {
        try await database.query(
            """
            SELECT client_login FROM domains
            WHERE domain = \(name.description) AND deleted_at IS NULL AND status <> 'suspended'
            """
        ).first.map { Domain.ClientLogin(rawValue: try $0.string("client_login")) ?? .password }
    }

    private func list(where condition: SQL) async throws -> [Domain] {
        try await database.query(
            """
            SELECT d.id, d.domain, d.customer_id, d.alias_of, d.status, d.client_login, d.dns_status, d.dns_checked_at,
              d.dns_detail, d.created_at, d.deleted_at, d.purge_at,
              COALESCE(t.accounts, 0) AS accounts, COALESCE(t.aliases, 0) AS aliases,
              COALESCE(t.quota_mb, 0) AS quota_mb,
              CAST((SELECT COALESCE(SUM(u.bytes), 0) FROM mailbox_usage u WHERE u.domain = d.domain) AS SIGNED)
                AS used_bytes
            FROM domains d LEFT JOIN domain_totals t ON t.domain_id = d.id WHERE \(condition)
            """
        ).map(Self.domain)
    }

    private static func domain(_ row: Row) throws -> Domain {
        Domain(
            id: try row.int64("id"), domain: try row.string("domain"), customerID: try row.int64("customer_id"),
            aliasOf: try row.optionalInt64("alias_of"),
            status: Domain.Status(rawValue: try row.string("status")) ?? .pending,
            clientLogin: Domain.ClientLogin(rawValue: try row.string("client_login")) ?? .password,
            accounts: try row.int("accounts"), aliases: try row.int("aliases"), quotaMB: try row.int("quota_mb"),
            usedMB: Account.megabytes(try row.int64("used_bytes")),
            dns: Domain.DNS(
                status: Domain.DNS.Status(rawValue: try row.string("dns_status")) ?? .pending,
                checkedAt: try row.optionalInt64("dns_checked_at").map(Timestamp.rfc3339(milliseconds:)),
                detail: try row.optionalString("dns_detail")),
            createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
            deletedAt: try row.optionalInt64("deleted_at").map(Timestamp.rfc3339(milliseconds:)),
            purgeAt: try row.optionalInt64("purge_at").map(Timestamp.rfc3339(milliseconds:)))
    }
}

extension DomainStore.Filter {
    fileprivate var conditions: [SQL] {
        var conditions: [SQL] = [deleted ? "d.deleted_at IS NOT NULL" : "d.deleted_at IS NULL"]
        if let customerID { conditions.append("d.customer_id = \(customerID)") }
        if let status { conditions.append("d.status = \(status.rawValue)") }
        if let dns { conditions.append("d.dns_status = \(dns.rawValue)") }
        if let search {
            // Names are kept as A-labels, in a column of ASCII.
            let wanted = search.utf8.allSatisfy { $0 < 0x80 } ? search : (try? DomainName(search))?.description
            conditions.append(wanted.map { "LOCATE(\($0.lowercased()), d.domain) > 0" } ?? "FALSE")
        }
        return conditions
    }

    fileprivate var ordering: SQL {
        let column: SQL = order == .domain ? "d.domain" : "d.id"
        return " ORDER BY \(column)\(isDescending ? " DESC" : "" as SQL)"
    }
}

extension Account {
    /// Whole MB of 2^20 bytes, rounded up, never negative (Dovecot's counter may briefly be).
    static func megabytes(_ bytes: Int64) -> Int { Int((max(0, bytes) + 1_048_575) / 1_048_576) }
}
