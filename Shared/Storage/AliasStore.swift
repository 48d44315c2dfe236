import MariaDB
public import MailModel

/// Addresses that lead to other addresses.
public struct AliasStore: Sendable {
    let database: Database

    /// What an alias is to be.
    public struct Draft: Sendable, Equatable {
        /// A local part, or `*` for the catch-all.
        public var source: String
        public var destinations: [EmailAddress]
        /// Whether who receives through it may also send as it.
        public var sendAs: Bool

        public init(source: String, destinations: [EmailAddress], sendAs: Bool = true) {
            self.source = source
            self.destinations = destinations
            self.sendAs = sendAs
        }
    }

    /// - Throws: `Failure.notFound` for a domain outside the scope, `conflict` `alias_exists` for a taken source,
    ///   `account_exists`, `domain_is_alias`; `invalid` for an alias that leads to itself.
    public func create(
        domainID: Int64, _ draft: Draft, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Alias {
        let domain = try await database.domains.reach(domainID, scope: scope)
        let id = try await database.transaction { tx in
            try Self.create(
                draft, domainID: domainID, domain: domain.name, customerID: domain.customerID, by: origin, in: tx)
        }
        return try await find(id, scope: .everything)
    }

    /// As part of another change.
    static func create(
        _ draft: Draft, domainID: Int64, domain: DomainName, customerID: Int64, by origin: AuditStore.Origin,
        in tx: Transaction
    ) throws -> Int64 {
        let address = "\(draft.source)@\(domain)"
        let destinations = draft.destinations.map(\.description)
        try lock(domain, destinations, in: tx)
        try checkFree(address, domainID: domainID, in: tx)
        let id = try insert(
            domainID: domainID, source: draft.source, destinations: destinations, sendAs: draft.sendAs, in: tx)
        try checkLoop(draft.source, domain, destinations, in: tx)
        try AuditStore.record(
            origin.event(
                "alias.created", target: address, customerID: customerID,
                detail: ["destination": destinations.joined(separator: " ")]), in: tx)
        return id
    }

    /// - Throws: `Failure.notFound` also for an alias outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Alias {
        let condition: SQL = "s.id = \(id) AND d.deleted_at IS NULL AND \(SQL.domainVisible(to: scope))"
        guard let alias = try await list(where: condition).first else { throw Failure.notFound("This alias") }
        return alias
    }

    /// Changes where an alias leads, and who may send as it; its source stays.
    /// - Throws: `Failure`: `notFound`, `invalid`.
    public func update(
        _ id: Int64, destinations: [EmailAddress], sendAs: Bool?, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Alias {
        let alias = try await find(id, scope: scope)
        let domain = try await database.domains.reach(alias.domainID, scope: .everything)
        let wanted = destinations.map(\.description)
        try await database.transaction { tx in
            try Self.lock(domain.name, wanted, in: tx)
            let outcome = try tx.execute(
                "UPDATE aliases SET send_as = \(sendAs ?? alias.sendAs) WHERE id = \(id)")
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This alias") }
            try tx.execute("DELETE FROM alias_destinations WHERE alias_id = \(id)")
            try Self.insert(destinations: wanted, of: id, in: tx)
            try Self.checkLoop(alias.source, domain.name, wanted, in: tx)
            var changes = AuditStore.Changes()
            changes.add("destination", alias.destination.joined(separator: " "), wanted.joined(separator: " "))
            changes.add("send_as", "\(alias.sendAs)", sendAs.map { "\($0)" })
            try AuditStore.record(
                origin.event(
                    "alias.changed", target: "\(alias.source)@\(domain.name)", customerID: domain.customerID,
                    detail: changes.fields), in: tx)
        }
        return try await find(id, scope: .everything)
    }

    /// - Throws: `Failure.notFound` also for an alias outside the scope.
    public func delete(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws {
        let alias = try await find(id, scope: scope)
        let domain = try await database.domains.reach(alias.domainID, scope: .everything)
        try await database.transaction { tx in
            guard try tx.execute("DELETE FROM aliases WHERE id = \(id)").affectedRows == 1 else {
                throw Failure.notFound("This alias")
            }
            try DomainTotals.change(domainID: alias.domainID, aliases: -1, in: tx)
            try AuditStore.record(
                origin.event(
                    "alias.deleted", target: "\(alias.source)@\(domain.name)", customerID: domain.customerID,
                    detail: ["destination": alias.destination.joined(separator: " ")]), in: tx)
        }
    }

    /// - Parameter search: A part of the source or of a destination; nil for all.
    /// - Throws: `Failure.notFound` for a domain outside the scope.
    public func list(
        domainID: Int64, search: String? = nil, _ page: PageRequest, scope: Scope
    ) async throws -> Page<Alias> {
        _ = try await database.domains.reach(domainID, scope: scope)
        var condition: SQL = "s.domain_id = \(domainID)"
        if let search = search?.lowercased() {
            condition += """
                 AND (LOCATE(\(search), s.source) > 0 OR EXISTS (
                  SELECT 1 FROM alias_destinations t WHERE t.alias_id = s.id AND LOCATE(\(search), t.destination) > 0))
                """
        }
        let aliases = try await list(where: condition + " ORDER BY s.source" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM aliases s WHERE \(condition)").first?.int("n")
        return Page(items: aliases, request: page, total: total ?? 0)
    }

    /// The aliases after an id, by id: to go through all of a domain.
    public func batch(domainID: Int64, after id: Int64, limit: Int, scope: Scope) async throws -> [Alias] {
        _ = try await database.domains.reach(domainID, scope: scope)
        return try await list(where: "s.domain_id = \(domainID) AND s.id > \(id) ORDER BY s.id LIMIT \(limit)")
    }

    // MARK: within a transaction

    @discardableResult
    static func insert(
        domainID: Int64, source: String, destinations: [String], sendAs: Bool, in tx: Transaction
    ) throws -> Int64 {
        let id: Int64
        do {
            id = try tx.execute(
                """
                INSERT INTO aliases (domain_id, source, send_as, created_at)
                VALUES (\(domainID), \(source), \(sendAs), \(Timestamp.now()))
                """
            ).lastInsertID
        } catch let error as MariaDBError where error.isDuplicateKey {
            throw try exists(domainID: domainID, source: source, in: tx)
        }
        try insert(destinations: destinations, of: id, in: tx)
        try DomainTotals.change(domainID: domainID, aliases: 1, in: tx)
        return id
    }

    private static func insert(destinations: [String], of id: Int64, in tx: Transaction) throws {
        for (position, destination) in destinations.enumerated() {
            try tx.execute(
                """
                INSERT INTO alias_destinations (alias_id, position, destination)
                VALUES (\(id), \(position), \(destination))
                """)
        }
    }

    private static func exists(domainID: Int64, source: String, in tx: Transaction) throws -> Failure {
        let row = try tx.query(
            """
            SELECT s.id, d.domain FROM aliases s JOIN domains d ON d.id = s.domain_id
            WHERE s.domain_id = \(domainID) AND s.source = \(source)
            """
        ).first
        let named = try row.map { "\(source)@\(try $0.string("domain")) (id \(try $0.int64("id")))" } ?? source
        return .conflict("alias_exists", "The alias \(named) exists already; change that one.")
    }

    /// Has those wait who make an alias of the same name, or one that would lead from one of the destinations back here.
    private static func lock(_ domain: DomainName, _ destinations: [String], in tx: Transaction) throws {
        let domains = destinations.compactMap { $0.split(separator: "@").last.map(String.init) } + [domain.description]
        // Whoever locks several does it in this order.
        let ids = try tx.query("SELECT id FROM domains WHERE domain IN (\(list: domains)) ORDER BY id")
            .map { try $0.int64("id") }
        for id in ids { try DomainTotals.lock(domainID: id, in: tx) }
    }

    private static func checkFree(_ address: String, domainID: Int64, in tx: Transaction) throws {
        guard try tx.query("SELECT id FROM accounts WHERE email = \(address)").isEmpty else {
            throw Failure.conflict("account_exists", "The mailbox \(address) has this address.")
        }
        guard try tx.query("SELECT id FROM domains WHERE id = \(domainID) AND alias_of IS NOT NULL").isEmpty else {
            throw Failure.conflict("domain_is_alias", "This domain leads to another one; make the alias there.")
        }
    }

    /// Follows the aliases from a new one, over domains that stand for others too, and refuses one that leads back.
    private static func checkLoop(
        _ source: String, _ domain: DomainName, _ destinations: [String], in tx: Transaction
    ) throws {
        let start = "\(source)@\(domain)"
        guard !destinations.contains(start) else {
            throw Failure.invalid("destination", code: "loop", "an alias cannot lead to itself")
        }
        var frontier = destinations
        var seen = Set(destinations)
        while !frontier.isEmpty {
            var next: [String] = []
            for address in frontier {
                let hop = try hop(from: address, in: tx)
                guard hop.alias != start else {
                    throw Failure.invalid(
                        "destination", code: "loop", "this alias leads back to itself over other aliases")
                }
                next += hop.destinations
            }
            frontier = next.filter { seen.insert($0).inserted }
            guard seen.count <= 1000 else {
                throw Failure.invalid("destination", code: "too_many", "leads to more than 1000 addresses")
            }
        }
    }

    /// Where mail to an address goes next, as Postfix finds it, and by which alias: one of that name, else the catch-all
    /// where there is no mailbox.
    private static func hop(
        from address: String, in tx: Transaction
    ) throws -> (alias: String?, destinations: [String]) {
        guard let at = address.lastIndex(of: "@") else { return (nil, []) }
        let localPart = address[..<at].prefix { $0 != "+" }, domain = address[address.index(after: at)...]
        let row = try tx.query(
            """
            SELECT d.id, x.domain AS target FROM domains d LEFT JOIN domains x ON x.id = d.alias_of
            WHERE d.domain = \(domain) AND d.deleted_at IS NULL
            """
        ).first
        guard let row else { return (nil, []) }
        if let target = try row.optionalString("target") { return (nil, ["\(localPart)@\(target)"]) }
        let id = try row.int64("id")
        let named = try destinations(domainID: id, source: localPart, in: tx)
        guard named.isEmpty else { return ("\(localPart)@\(domain)", named) }
        let mailbox = try tx.query("SELECT id FROM accounts WHERE email = \("\(localPart)@\(domain)")")
        return mailbox.isEmpty ? ("*@\(domain)", try destinations(domainID: id, source: "*", in: tx)) : (nil, [])
    }

    private static func destinations(
        domainID: Int64, source: some StringProtocol, in tx: Transaction
    ) throws -> [String] {
        try tx.query(
            """
            SELECT t.destination FROM aliases s JOIN alias_destinations t ON t.alias_id = s.id
            WHERE s.domain_id = \(domainID) AND s.source = \(String(source))
            """
        ).map { try $0.string("destination") }
    }

    private func list(where condition: SQL) async throws -> [Alias] {
        try await database.query(
            """
            SELECT s.id, s.domain_id, s.source, s.send_as, s.created_at,
              (SELECT GROUP_CONCAT(t.destination ORDER BY t.position SEPARATOR ' ') FROM alias_destinations t
               WHERE t.alias_id = s.id) AS destination
            FROM aliases s JOIN domains d ON d.id = s.domain_id WHERE \(condition)
            """
        ).map { row in
            Alias(
                id: try row.int64("id"), domainID: try row.int64("domain_id"), source: try row.string("source"),
                destination: try row.optionalString("destination")?.split(separator: " ").map(String.init) ?? [],
                sendAs: try row.bool("send_as"),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
        }
    }
}
