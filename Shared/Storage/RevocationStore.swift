import MariaDB
public import MailModel

/// The ledger of revocations: appended to, never changed. Redis tells of a new one, this is where it lasts.
public struct RevocationStore: Sendable {
    let database: Database

    /// Everything of this value issued before now is dead.
    public func add(_ kind: Revocation.Kind, _ value: String) async throws -> Revocation {
        try await database.transaction { tx in try Self.add(kind, value, in: tx) }
    }

    /// As part of another change, so that a suspension without its revocation cannot be.
    static func add(_ kind: Revocation.Kind, _ value: String, in tx: Transaction) throws -> Revocation {
        let now = Timestamp.now()
        let outcome = try tx.execute(
            """
            INSERT INTO revocations (at, kind, value, not_before) VALUES (\(now), \(kind.rawValue), \(value), \(now))
            """)
        return Revocation(id: outcome.lastInsertID, at: now, kind: kind, value: value, notBefore: now)
    }

    /// The revocations with a greater id, oldest first.
    ///
    /// Ids are given out before the transactions that use them commit, so a smaller id may appear after a greater one:
    /// readers ask from a little before the last id they saw, and applying one twice does no harm.
    public func after(_ id: Int64) async throws -> [Revocation] {
        try await database.query(
            "SELECT id, at, kind, value, not_before FROM revocations WHERE id > \(id) ORDER BY id"
        ).map { row in
            Revocation(
                id: try row.int64("id"), at: try row.int64("at"),
                kind: Revocation.Kind(rawValue: try row.string("kind")) ?? .jti, value: try row.string("value"),
                notBefore: try row.int64("not_before"))
        }
    }

    /// Forgets those whose tokens have all expired by themselves.
    /// - Parameter horizon: Milliseconds since 1970; older ones go.
    public func purge(before horizon: Int64) async throws {
        try await database.execute("DELETE FROM revocations WHERE at < \(horizon)")
    }
}
