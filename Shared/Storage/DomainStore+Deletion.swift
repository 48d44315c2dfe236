import MariaDB
public import MailModel

extension DomainStore {
    /// The right to end a domain whose time is over, as `AccountStore.Purge`.
    public struct Purge: Sendable, Equatable {
        public let id: Int64
        let lease: Int64
    }

    /// Deletes a domain: its mailboxes are shut at once, and it is gone for good after a while.
    ///
    /// - Parameter purgeAt: Milliseconds since 1970.
    /// - Returns: The revocations to announce.
    /// - Throws: `Failure.notFound`; `conflict` `domain_has_aliases` while other domains lead to it.
    public func delete(
        _ id: Int64, purgeAt: Int64, scope: Scope, by origin: AuditStore.Origin
    ) async throws -> [Revocation] {
        let domain = try await find(id, scope: scope)
        return try await database.transaction { tx in
            let outcome = try tx.execute(
                """
                UPDATE domains SET deleted_at = \(Timestamp.now()), purge_at = \(purgeAt)
                WHERE id = \(id) AND deleted_at IS NULL
                """)
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This domain") }
            // Only now: who was just making one that leads here has made it, or finds this one deleted.
            let others = try tx.query("SELECT domain FROM domains WHERE alias_of = \(id) AND deleted_at IS NULL")
                .map { try $0.string("domain") }
            guard others.isEmpty else {
                throw Failure.conflict(
                    "domain_has_aliases", "\(others.joined(separator: ", ")) lead to this domain; delete them first.")
            }
            try AuditStore.record(
                origin.event(
                    "domain.deleted", target: domain.domain, customerID: domain.customerID,
                    detail: ["purge_at": Timestamp.rfc3339(milliseconds: purgeAt)]), in: tx)
            return try RevocationStore.addAll(accounts: "a.domain_id = \(id)", in: tx)
        }
    }

    /// Has a deleted domain gone at once.
    /// - Returns: The right to end it; nil when somebody is doing so already.
    /// - Throws: `Failure.notFound` for one that is not deleted.
    public func purge(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws -> Purge? {
        let domain = try await findDeleted(id, scope: scope)
        return try await database.transaction { tx in
            let outcome = try tx.execute(
                "UPDATE domains SET purge_at = \(Timestamp.now()) WHERE id = \(id) AND deleted_at IS NOT NULL")
            // It may have been restored since it was found.
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This deleted domain") }
            try AuditStore.record(
                origin.event("domain.purge_requested", target: domain.domain, customerID: domain.customerID), in: tx)
            return try Self.claim(id, in: tx)
        }
    }

    /// Takes the right to end a domain whose time is over; nil when another has it, or it is gone.
    public func claimPurge(_ id: Int64) async throws -> Purge? {
        try await database.transaction { try Self.claim(id, in: $0) }
    }

    private static func claim(_ id: Int64, in tx: Transaction) throws -> Purge? {
        let now = Timestamp.now(), lease = now + AccountStore.purgeLease
        let outcome = try tx.execute(
            """
            UPDATE domains SET purge_lease = \(lease) WHERE id = \(id) AND deleted_at IS NOT NULL
              AND purge_at <= \(now) AND (purge_lease IS NULL OR purge_lease <= \(now))
            """)
        return outcome.affectedRows == 1 ? Purge(id: id, lease: lease) : nil
    }

    /// Keeps the right for a while longer; nil when another has taken it meanwhile.
    public func renew(_ purge: Purge) async throws -> Purge? {
        let lease = max(Timestamp.now() + AccountStore.purgeLease, purge.lease + 1)
        let outcome = try await database.execute(
            "UPDATE domains SET purge_lease = \(lease) WHERE id = \(purge.id) AND purge_lease = \(purge.lease)")
        return outcome.affectedRows == 1 ? Purge(id: purge.id, lease: lease) : nil
    }

    /// Takes a deletion back.
    /// - Throws: `Failure.notFound` for one that is not deleted, or whose time is over.
    public func restore(_ id: Int64, scope: Scope, by origin: AuditStore.Origin) async throws {
        let domain = try await findDeleted(id, scope: scope)
        try await database.transaction { tx in
            try LimitStore.admit(
                domains: 1, accounts: domain.accounts, quotaMB: domain.quotaMB, customerID: domain.customerID, in: tx)
            let outcome = try tx.execute(
                """
                UPDATE domains SET deleted_at = NULL, purge_at = NULL, dns_version = dns_version + 1, dns_keys_only = FALSE,
                  dns_status = IF(dns_mode = 'manual', 'manual', 'pending')
                WHERE id = \(id) AND purge_at > \(Timestamp.now()) AND purge_lease IS NULL
                """)
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This deleted domain") }
            try AuditStore.record(
                origin.event("domain.restored", target: domain.domain, customerID: domain.customerID), in: tx)
        }
    }

    /// Gives the right back before its time, to whoever comes next.
    public func release(_ purge: Purge) async throws {
        try await database.execute(
            "UPDATE domains SET purge_lease = NULL WHERE id = \(purge.id) AND purge_lease = \(purge.lease)")
    }

    /// The domains whose time is over and which nobody is ending.
    public func awaitingPurge(limit: Int = 20) async throws -> [Int64] {
        let now = Timestamp.now()
        return try await database.query(
            """
            SELECT id FROM domains WHERE deleted_at IS NOT NULL AND purge_at <= \(now)
              AND (purge_lease IS NULL OR purge_lease <= \(now))
            ORDER BY purge_at LIMIT \(limit)
            """
        ).map { try $0.int64("id") }
    }

    /// Forgets a deleted domain with all that is in it; what it had elsewhere must be gone before.
    /// - Returns: False when another has taken the right meanwhile, and goes on.
    public func remove(_ purge: Purge) async throws -> Bool {
        let id = purge.id
        var held = purge
        // Some at a time: a statement has seconds, and a domain may have a million.
        while try await database.accounts.removeSome(ofDeletedDomain: id) {
            guard let renewed = try await renew(held) else { return false }
            held = renewed
        }
        let lease = held.lease
        return try await database.transaction { tx in
            let row = try tx.query(
                """
                SELECT domain, customer_id FROM domains
                WHERE id = \(id) AND deleted_at IS NOT NULL AND purge_lease = \(lease) FOR UPDATE
                """
            ).first
            guard let row else { return false }
            let name = try row.string("domain")
            try tx.execute("DELETE FROM aliases WHERE domain_id = \(id)")
            try tx.execute("DELETE FROM send_as WHERE domain = \(name)")
            try tx.execute("DELETE FROM domains WHERE id = \(id)")
            try AuditStore.record(
                AuditStore.Origin.worker.event(
                    "domain.purged", target: name, customerID: try row.int64("customer_id")), in: tx)
            return true
        }
    }
}
