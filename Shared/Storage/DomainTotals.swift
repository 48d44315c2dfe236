import MailModel
import MariaDB

/// How much a domain holds, kept with every change of it.
enum DomainTotals {
    /// As part of the change.
    static func change(
        domainID: Int64, accounts: Int = 0, aliases: Int = 0, quotaMB: Int = 0, in tx: Transaction
    ) throws {
        try tx.execute(
            """
            INSERT INTO domain_totals (domain_id, accounts, aliases, quota_mb)
            VALUES (\(domainID), \(accounts), \(aliases), \(quotaMB))
            ON DUPLICATE KEY UPDATE accounts = accounts + \(accounts), aliases = aliases + \(aliases),
              quota_mb = quota_mb + \(quotaMB)
            """)
    }

    /// Has others who add to the domain wait until the transaction ends: an address that is found to be free stays so.
    /// - Throws: `Failure.notFound` for a domain that was purged since it was found.
    static func lock(domainID: Int64, in tx: Transaction) throws {
        do {
            try change(domainID: domainID, in: tx)
        } catch let error as MariaDBError where error.isForeignKeyViolation {
            throw Failure.notFound("This domain")
        }
    }

    /// Counts anew: what was written by something else than these stores is found.
    /// - Parameter condition: On `domains d`.
    static func recount(where condition: SQL) -> SQL {
        """
        REPLACE INTO domain_totals (domain_id, accounts, aliases, quota_mb)
        SELECT d.id,
          (SELECT COUNT(*) FROM accounts a WHERE a.domain_id = d.id AND a.deleted_at IS NULL),
          (SELECT COUNT(*) FROM aliases s WHERE s.domain_id = d.id),
          (SELECT COALESCE(SUM(a.quota_mb), 0) FROM accounts a WHERE a.domain_id = d.id AND a.deleted_at IS NULL)
        FROM domains d WHERE \(condition)
        """
    }
}
