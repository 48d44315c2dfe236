import MariaDB
public import MailModel

/// Addresses that lead to other addresses.
public struct AliasStore: Sendable {
    let database: Database

    /// - Parameter source: A local part, or `*` for the catch-all.
    /// - Throws: `Failure.notFound` for a domain outside the scope, `conflict` `alias_exists` for a taken source,
    ///   `invalid` for an alias that leads to itself or stands where a mailbox does.
    public func create(
        domainID: Int64, source: String, destination: [EmailAddress], scope: Scope, by origin: AuditStore.Origin
    ) async throws -> Alias {
        let domain = try await database.domains.find(domainID, scope: scope)
        let address = "\(source)@\(domain.domain)"
        let destinations = destination.map(\.description)
        guard !destinations.contains(address) else {
            throw Failure.invalid("destination", code: "loop", "an alias cannot lead to itself")
        }
        let id = try await database.transaction { tx in
            guard try tx.query("SELECT id FROM accounts WHERE email = \(address)").isEmpty else {
                throw Failure.conflict("account_exists", "A mailbox has this address.")
            }
            let id: Int64
            do {
                id = try tx.execute(
                    "INSERT INTO aliases (domain_id, source, created_at) VALUES (\(domainID), \(source), \(Timestamp.now()))"
                ).lastInsertID
            } catch let error as MariaDBError where error.isDuplicateKey {
                throw Failure.conflict("alias_exists", "This alias exists already.")
            }
            for (position, destination) in destinations.enumerated() {
                try tx.execute(
                    """
                    INSERT INTO alias_destinations (alias_id, position, destination)
                    VALUES (\(id), \(position), \(destination))
                    """)
            }
            guard try !Self.loops(from: address, in: tx) else {
                throw Failure.invalid("destination", code: "loop", "this alias leads back to itself over other aliases")
            }
            try AuditStore.record(
                origin.event(
                    "alias.created", target: address, customerID: domain.customerID,
                    detail: ["destination": destinations.joined(separator: " ")]), in: tx)
            return id
        }
        guard let alias = try await list(where: "s.id = \(id)").first else { throw Failure.notFound("This alias") }
        return alias
    }

    /// - Throws: `Failure.notFound` for a domain outside the scope.
    public func list(domainID: Int64, _ page: PageRequest, scope: Scope) async throws -> Page<Alias> {
        _ = try await database.domains.find(domainID, scope: scope)
        let aliases = try await list(where: "s.domain_id = \(domainID) ORDER BY s.source" + SQL.page(page))
        let total = try await database.query(
            "SELECT COUNT(*) AS n FROM aliases WHERE domain_id = \(domainID)"
        ).first?.int("n")
        return Page(items: aliases, request: page, total: total ?? 0)
    }

    /// Follows the aliases from an address and tells whether they lead back to it.
    private static func loops(from start: String, in tx: Transaction) throws -> Bool {
        var frontier = [start]
        var seen: Set<String> = []
        while !frontier.isEmpty {
            let next = try tx.query(
                "SELECT DISTINCT destination FROM postfix_aliases WHERE source_email IN (\(list: frontier))"
            ).map { try $0.string("destination") }
            if next.contains(start) { return true }
            frontier = next.filter { seen.insert($0).inserted }
        }
        return false
    }

    private func list(where condition: SQL) async throws -> [Alias] {
        try await database.query(
            """
            SELECT s.id, s.domain_id, s.source, s.created_at,
              (SELECT GROUP_CONCAT(t.destination ORDER BY t.position SEPARATOR ' ') FROM alias_destinations t
               WHERE t.alias_id = s.id) AS destination
            FROM aliases s WHERE \(condition)
            """
        ).map { row in
            Alias(
                id: try row.int64("id"), domainID: try row.int64("domain_id"), source: try row.string("source"),
                destination: try row.optionalString("destination")?.split(separator: " ").map(String.init) ?? [],
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
        }
    }
}
