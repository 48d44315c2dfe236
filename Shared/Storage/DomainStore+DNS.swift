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
        /// No outcome of the last change is known: somebody may be at it.
        public let isPending: Bool
        /// The customer keeps them by hand.
        public let isManual: Bool
        /// Only the keys have changed; what was written of the rest stays as it is.
        public let isOfKeysOnly: Bool
        /// Whether they may go into a zone that was not made here.
        public let takesZones: Bool

        init(
            id: Int64, domain: DomainName, keys: [DKIMKey], version: Int, isNew: Bool, isPending: Bool, isManual: Bool,
            isOfKeysOnly: Bool, takesZones: Bool
        ) {
            self.id = id
            self.domain = domain
            self.keys = keys
            self.version = version
            self.isNew = isNew
            self.isPending = isPending
            self.isManual = isManual
            self.isOfKeysOnly = isOfKeysOnly
            self.takesZones = takesZones
        }

        /// Of a domain that was just made.
        public init(new id: Int64, _ domain: DomainName, keys: [DKIMKey], isManual: Bool, takesZones: Bool) {
            self.init(
                id: id, domain: domain, keys: keys, version: 0, isNew: true, isPending: true, isManual: isManual,
                isOfKeysOnly: false, takesZones: takesZones)
        }
    }

    /// What an outcome of the DNS was worth when it came to the table.
    public enum Standing: Sendable, Equatable {
        case kept
        /// The domain is gone, or going: what was written for it is to go as well.
        case gone
        /// Another domain has its name by now, whose records are to be written again.
        case succeeded(by: Int64)
    }

    /// What to write into the DNS for one domain, a deleted one too.
    public func provisioning(_ id: Int64) async throws -> Provisioning {
        guard let found = try await provisioning(where: "d.id = \(id)").first else {
            throw Failure.notFound("This domain")
        }
        return found
    }

    /// What to write into the DNS for a domain; nil for one that is gone, or whose time is over.
    public func provisioningUnlessEnding(_ id: Int64) async throws -> Provisioning? {
        let condition: SQL = "d.id = \(id) AND (d.purge_at IS NULL OR d.purge_at > \(Timestamp.now()))"
        return try await provisioning(where: condition).first
    }

    /// The domains whose DNS is still to be written, oldest first.
    public func awaitingDNS(limit: Int = 100) async throws -> [Int64] {
        try await database.query(
            "SELECT id FROM domains WHERE dns_status = 'pending' AND deleted_at IS NULL ORDER BY id LIMIT \(limit)"
        ).map { try $0.int64("id") }
    }

    /// What to write into the DNS for a domain whose DNS is still to be written; nil for any other.
    public func pendingDNS(_ id: Int64) async throws -> Provisioning? {
        try await provisioning(where: "d.id = \(id) AND d.dns_status = 'pending' AND d.deleted_at IS NULL").first
    }

    /// Has all the records written again, by whoever comes first.
    /// - Parameter takesZones: From now on also into a zone that was not made here; false changes nothing in that.
    public func requireDNS(_ id: Int64, takesZones: Bool = false) async throws {
        try await database.execute(
            """
            UPDATE domains SET dns_status = 'pending', dns_version = dns_version + 1, dns_keys_only = FALSE,
              takes_zones = takes_zones OR \(takesZones)
            WHERE id = \(id) AND dns_mode = 'automatic'
            """)
    }

    /// Notes the outcome of an attempt to write the DNS, unless the wanted records have changed meanwhile, or it is
    /// `pending` and another replica has come further.
    ///
    /// - Parameter detail: Why it is not ok, for a person.
    /// - Returns: Whether the domain is still there: it may have ended while its records were written.
    public func setDNS(
        _ domain: Provisioning, status: Domain.DNS.Status, detail: String? = nil
    ) async throws -> Standing {
        let detail = detail.map { String($0.prefix(500)) }
        return try await database.transaction { tx in
            let now = Timestamp.now()
            let outcome = try tx.execute(
                """
                UPDATE domains SET dns_status = \(status.rawValue), dns_checked_at = \(now), dns_detail = \(detail)
                WHERE id = \(domain.id) AND dns_version = \(domain.version)
                  AND (purge_at IS NULL OR purge_at > \(now)) AND (dns_status = 'pending' OR \(status != .pending))
                """)
            guard outcome.affectedRows == 1 else { return try Self.standing(of: domain, at: now, in: tx) }
            if status == .ok, domain.keys.contains(where: { $0.state == .withdrawn }) {
                try tx.execute("DELETE FROM dkim_keys WHERE domain_id = \(domain.id) AND state = 'withdrawn'")
            }
            return .kept
        }
    }

    private static func standing(of domain: Provisioning, at now: Int64, in tx: Transaction) throws -> Standing {
        let row = try tx.query(
            """
            SELECT id FROM domains
            WHERE domain = \(domain.domain.description) AND (purge_at IS NULL OR purge_at > \(now))
            """
        ).first
        guard let id = try row?.int64("id") else { return .gone }
        return id == domain.id ? .kept : .succeeded(by: id)
    }

    /// Whether the customer has a domain above this one that may be in a zone that was not made here.
    public func parentTakesZones(_ name: DomainName, customerID: Int64) async throws -> Bool {
        let parents = Self.parents(of: name)
        guard !parents.isEmpty else { return false }
        return try await !database.query(
            """
            SELECT id FROM domains
            WHERE domain IN (\(list: parents)) AND customer_id = \(customerID) AND takes_zones AND deleted_at IS NULL
            """
        ).isEmpty
    }

    /// The names above, without the top level.
    private static func parents(of name: DomainName) -> [String] {
        let labels = name.description.split(separator: ".")
        guard labels.count > 2 else { return [] }
        return (1...labels.count - 2).map { labels[$0...].joined(separator: ".") }
    }

    /// The nearest domain above this one that another customer has here.
    public func foreignParent(of name: DomainName, customerID: Int64) async throws -> String? {
        let parents = Self.parents(of: name)
        guard !parents.isEmpty else { return nil }
        return try await database.query(
            """
            SELECT domain FROM domains WHERE domain IN (\(list: parents)) AND customer_id <> \(customerID)
            ORDER BY LENGTH(domain) DESC LIMIT 1
            """
        ).first?.string("domain")
    }

    private func provisioning(where condition: SQL) async throws -> [Provisioning] {
        let rows = try await database.query(
            """
            SELECT d.id, d.domain, d.dns_version, d.dns_status, d.dns_checked_at, d.dns_mode, d.dns_keys_only,
              d.takes_zones
            FROM domains d WHERE \(condition)
            """)
        let keys = try await database.dkimKeys.list(domains: rows.map { try $0.int64("id") })
        return try rows.map { row in
            let id = try row.int64("id")
            return Provisioning(
                id: id, domain: try DomainName(try row.string("domain")), keys: keys[id] ?? [],
                version: try row.int("dns_version"), isNew: try row.optionalInt64("dns_checked_at") == nil,
                isPending: try row.string("dns_status") == "pending",
                isManual: try row.string("dns_mode") == "manual", isOfKeysOnly: try row.bool("dns_keys_only"),
                takesZones: try row.bool("takes_zones"))
        }
    }
}
