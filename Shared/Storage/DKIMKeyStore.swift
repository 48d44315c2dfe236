import MariaDB
public import MailModel

/// A DKIM key of a domain, without its private half.
public struct DKIMKey: Sendable, Equatable, Codable {
    public enum Algorithm: String, Sendable, Codable { case rsa, ed25519 }

    public enum State: String, Sendable, Codable {
        /// Its record is, or is to be, in the DNS; it signs nothing yet.
        case published
        case active
        /// Signs no more; its record stays while mail that it signed is under way.
        case retired
        /// Its record is to be taken out of the DNS.
        case withdrawn
    }

    public let selector: String
    public let algorithm: Algorithm
    /// What the record's `p=` holds: of RSA the SubjectPublicKeyInfo (RFC 6376 §3.6.1), of Ed25519 the key itself
    /// (RFC 8463 §4), in Base64.
    public let publicKey: String
    public let state: State
    /// Milliseconds since 1970.
    public let createdAt: Int64

    public init(
        selector: String, algorithm: Algorithm, publicKey: String, state: State = .active,
        createdAt: Int64 = Timestamp.now()
    ) {
        self.selector = selector
        self.algorithm = algorithm
        self.publicKey = publicKey
        self.state = state
        self.createdAt = createdAt
    }
}

/// The DKIM keys of the domains. A rotation is two changes here, with the DNS between them: new keys are published, and
/// once they are seen, they sign and the old ones retire.
public struct DKIMKeyStore: Sendable {
    let database: Database

    /// Keys of one domain, oldest first; of none that the scope does not reach.
    public func list(domainID: Int64, scope: Scope) async throws -> [DKIMKey] {
        _ = try await database.domains.reach(domainID, scope: scope)
        return try await list(domains: [domainID])[domainID] ?? []
    }

    /// Begins a rotation.
    /// - Throws: `Failure.notFound`; `conflict` `rotation_in_progress` while the last one waits for the DNS.
    public func publish(
        _ keys: [DKIMKey], domainID: Int64, scope: Scope, by origin: AuditStore.Origin
    ) async throws {
        let domain = try await database.domains.reach(domainID, scope: scope)
        try await database.transaction { tx in
            _ = try tx.query("SELECT id FROM domains WHERE id = \(domainID) FOR UPDATE")
            guard try tx.query("SELECT id FROM dkim_keys WHERE domain_id = \(domainID) AND state = 'published'").isEmpty
            else { throw Self.inProgress }
            try Self.insert(keys, domainID: domainID, state: .published, in: tx)
            try Self.wantRecords(domainID, in: tx)
            try AuditStore.record(
                origin.event(
                    "domain.dkim_published", target: domain.name.description, customerID: domain.customerID,
                    detail: ["selectors": keys.map(\.selector).joined(separator: " ")]), in: tx)
        }
    }

    public static let inProgress = Failure.conflict(
        "rotation_in_progress", "New keys wait until the DNS shows them; rotate again when they sign.")

    /// Ends a rotation: the published keys sign, and those that did retire.
    public func activate(domainID: Int64) async throws {
        try await database.transaction { tx in
            let row = try tx.query("SELECT domain, customer_id FROM domains WHERE id = \(domainID) FOR UPDATE").first
            let published = try tx.query(
                """
                SELECT selector, algorithm, public_key FROM dkim_keys
                WHERE domain_id = \(domainID) AND state = 'published' ORDER BY algorithm
                """)
            guard let row, let main = published.first else { return }
            try tx.execute(
                """
                UPDATE dkim_keys SET state = 'retired', retired_at = \(Timestamp.now())
                WHERE domain_id = \(domainID) AND state = 'active'
                """)
            try tx.execute(
                "UPDATE dkim_keys SET state = 'active' WHERE domain_id = \(domainID) AND state = 'published'")
            try tx.execute(
                """
                UPDATE domains SET dkim_selector = \(try main.string("selector")),
                  dkim_public_key = \(try main.string("public_key")) WHERE id = \(domainID)
                """)
            try AuditStore.record(
                AuditStore.Origin.worker.event(
                    "domain.dkim_activated", target: try row.string("domain"),
                    customerID: try row.int64("customer_id"),
                    detail: ["selectors": try published.map { try $0.string("selector") }.joined(separator: " ")]),
                in: tx)
        }
    }

    /// Some of the domains whose published keys wait to be seen in the DNS, as ids: those that were not looked at for
    /// longest, each of which is looked at now.
    public func awaitingActivation() async throws -> [Int64] {
        let ids = try await database.query(
            """
            SELECT DISTINCT d.id, d.dkim_looked_at FROM dkim_keys k JOIN domains d ON d.id = k.domain_id
            WHERE k.state = 'published' AND d.deleted_at IS NULL ORDER BY d.dkim_looked_at, d.id LIMIT 100
            """
        ).map { try $0.int64("id") }
        if !ids.isEmpty {
            try await database.execute(
                "UPDATE domains SET dkim_looked_at = \(Timestamp.now()) WHERE id IN (\(list: ids))")
        }
        return ids
    }

    /// Has the records of keys that retired before a moment taken out of the DNS.
    /// - Parameter moment: Milliseconds since 1970.
    public func withdraw(retiredBefore moment: Int64) async throws {
        try await database.transaction { tx in
            let domains = try tx.query(
                """
                SELECT DISTINCT domain_id FROM dkim_keys WHERE state = 'retired' AND retired_at < \(moment) LIMIT 100
                """
            ).map { try $0.int64("domain_id") }
            for id in domains {
                try tx.execute(
                    """
                    UPDATE dkim_keys SET state = 'withdrawn'
                    WHERE domain_id = \(id) AND state = 'retired' AND retired_at < \(moment)
                    """)
                try Self.wantRecords(id, in: tx)
            }
        }
    }

    /// Which of these names have a key, as `<domain>.<selector>`: what has none here is left over from a creation that
    /// was cut short, or from a key that was withdrawn.
    public func known(domains: [String]) async throws -> Set<String> {
        Set(
            try await database.query(
                """
                SELECT CONCAT(d.domain, '.', k.selector) AS name FROM dkim_keys k JOIN domains d ON d.id = k.domain_id
                WHERE d.domain IN (\(list: domains))
                """
            ).map { try $0.string("name") })
    }

    func list(domains: [Int64]) async throws -> [Int64: [DKIMKey]] {
        guard !domains.isEmpty else { return [:] }
        let rows = try await database.query(
            """
            SELECT domain_id, selector, algorithm, public_key, state, created_at FROM dkim_keys
            WHERE domain_id IN (\(list: domains)) ORDER BY id
            """)
        return try rows.reduce(into: [:]) { keys, row in
            keys[try row.int64("domain_id"), default: []].append(try Self.key(row))
        }
    }

    static func insert(_ keys: [DKIMKey], domainID: Int64, state: DKIMKey.State, in tx: Transaction) throws {
        guard !keys.isEmpty else { return }
        let rows = keys.map { key -> SQL in
            """
            (\(domainID), \(key.selector), \(key.algorithm.rawValue), \(key.publicKey), \(state.rawValue),
             \(key.createdAt))
            """
        }
        do {
            try tx.execute(
                """
                INSERT INTO dkim_keys (domain_id, selector, algorithm, public_key, state, created_at)
                VALUES \(rows.joined(separator: ", "))
                """)
        } catch let error as MariaDBError where error.isDuplicateKey { throw inProgress }
    }

    /// Has the records of the keys written, and the others too unless they are there already: a customer may have others
    /// in their place by now.
    private static func wantRecords(_ domainID: Int64, in tx: Transaction) throws {
        try tx.execute(
            """
            UPDATE domains SET dns_version = dns_version + 1,
              dns_keys_only = dns_status = 'ok' OR (dns_status = 'pending' AND dns_keys_only),
              dns_status = IF(dns_mode = 'manual', 'manual', 'pending') WHERE id = \(domainID)
            """)
    }

    private static func key(_ row: Row) throws -> DKIMKey {
        DKIMKey(
            selector: try row.string("selector"),
            algorithm: DKIMKey.Algorithm(rawValue: try row.string("algorithm")) ?? .rsa,
            publicKey: try row.string("public_key"),
            state: DKIMKey.State(rawValue: try row.string("state")) ?? .retired,
            createdAt: try row.int64("created_at"))
    }
}
