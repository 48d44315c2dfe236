import MariaDB
public import MailModel

extension DomainStore {
    /// What the DNS needs to know of a domain.
    public struct Provisioning: Sendable, Equatable {
        public let id: Int64
        public let domain: DomainName
        /// The keys whose records it is to have, or to have no more (`withdrawn`).
        public let keys: [DKIMKey]
        /// Counts what changed the wanted records.
        public let version: Int
        /// The records were never written yet.
        public let isNew: Bool
        /// The customer keeps them by hand.
        public let isManual: Bool

        init(id: Int64, domain: DomainName, keys: [DKIMKey], version: Int, isNew: Bool, isManual: Bool) {
            self.id = id
            self.domain = domain
            self.keys = keys
            self.version = version
            self.isNew = isNew
            self.isManual = isManual
        }

        /// Of a domain that was just made.
        public init(new id: Int64, _ domain: DomainName, keys: [DKIMKey], isManual: Bool) {
            self.init(id: id, domain: domain, keys: keys, version: 0, isNew: true, isManual: isManual)
        }
    }

    /// What to write into the DNS for one domain, a deleted one too.
    public func provisioning(_ id: Int64) async throws -> Provisioning {
        guard let found = try await provisioning(where: "d.id = \(id)").first else {
            throw Failure.notFound("This domain")
        }
        return found
    }

    /// The domains whose DNS is still to be written, oldest first.
    public func awaitingDNS(limit: Int = 100) async throws -> [Provisioning] {
        try await provisioning(
            where: "d.dns_status = 'pending' AND d.deleted_at IS NULL ORDER BY d.id LIMIT \(limit)")
    }

    /// Has the records written again, by whoever comes first.
    public func requireDNS(_ id: Int64) async throws {
        try await database.execute(
            """
            UPDATE domains SET dns_status = 'pending', dns_version = dns_version + 1
            WHERE id = \(id) AND dns_mode = 'automatic'
            """)
    }

    /// Notes the outcome of an attempt to write the DNS, unless the wanted records have changed meanwhile.
    ///
    /// - Parameter detail: Why it is not ok, for a person.
    public func setDNS(_ domain: Provisioning, status: Domain.DNS.Status, detail: String? = nil) async throws {
        let detail = detail.map { String($0.prefix(500)) }
        try await database.transaction { tx in
            let outcome = try tx.execute(
                """
                UPDATE domains SET dns_status = \(status.rawValue), dns_checked_at = \(Timestamp.now()),
                  dns_detail = \(detail) WHERE id = \(domain.id) AND dns_version = \(domain.version)
                """)
            guard status == .ok, outcome.affectedRows == 1, domain.keys.contains(where: { $0.state == .withdrawn })
            else { return }
            try tx.execute("DELETE FROM dkim_keys WHERE domain_id = \(domain.id) AND state = 'withdrawn'")
        }
    }

    /// The nearest domain above this one that another customer has here.
    public func foreignParent(of name: DomainName, customerID: Int64) async throws -> String? {
        let labels = name.description.split(separator: ".")
        guard labels.count > 2 else { return nil }
        let parents = (1...labels.count - 2).map { labels[$0...].joined(separator: ".") }
        return try await database.query(
            """
            SELECT domain FROM domains WHERE domain IN (\(list: parents)) AND customer_id <> \(customerID)
            ORDER BY LENGTH(domain) DESC LIMIT 1
            """
        ).first?.string("domain")
    }

    private func provisioning(where condition: SQL) async throws -> [Provisioning] {
        let rows = try await database.query(
            "SELECT d.id, d.domain, d.dns_version, d.dns_checked_at, d.dns_mode FROM domains d WHERE \(condition)")
        let keys = try await database.dkimKeys.list(domains: rows.map { try $0.int64("id") })
        return try rows.map { row in
            let id = try row.int64("id")
            return Provisioning(
                id: id, domain: try DomainName(try row.string("domain")), keys: keys[id] ?? [],
                version: try row.int("dns_version"), isNew: try row.optionalInt64("dns_checked_at") == nil,
                isManual: try row.string("dns_mode") == "manual")
        }
    }
}
