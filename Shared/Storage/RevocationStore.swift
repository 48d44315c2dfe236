import MariaDB
public import MailModel

/// The ledger of revocations: appended to, never changed. Redis tells of a new one, this is where it lasts.
public struct RevocationStore: Sendable {
    let database: Database

    /// Everything of this value issued before now is dead.
    ///
    /// - Parameter mailboxes: Whose live sessions end with it, beside those that the database knows of: of an account its
    ///   own, of a user all of its mailboxes and those it made mail tokens for, of a session or a token likewise.
    public func add(_ kind: Revocation.Kind, _ value: String, mailboxes: [String] = []) async throws -> Revocation {
        try await database.transaction { tx in try Self.add(kind, value, mailboxes: mailboxes, in: tx) }
    }

    /// As part of another change, so that a suspension without its revocation cannot be.
    static func add(
        _ kind: Revocation.Kind, _ value: String, mailboxes: [String] = [], in tx: Transaction
    ) throws -> Revocation {
        let now = Timestamp.now()
        let id = try tx.execute(
            """
            INSERT INTO revocations (at, kind, value, not_before) VALUES (\(now), \(kind.rawValue), \(value), \(now))
            """
        ).lastInsertID
        let affected = try Set(mailboxes + tx.query(mailboxesOf(kind, value)).map { try $0.string("email") })
        for email in affected {
            try tx.execute("INSERT INTO revocation_mailboxes (revocation_id, email) VALUES (\(id), \(email))")
        }
        return Revocation(
            id: id, at: now, kind: kind, value: value, notBefore: now, mailboxes: affected.sorted())
    }

    private static func mailboxesOf(_ kind: Revocation.Kind, _ value: String) -> SQL {
        switch kind {
        case .account: "SELECT \(value) AS email"
        case .jti: "SELECT email FROM mail_tokens WHERE jti = \(value)"
        case .family:
            """
            SELECT email FROM mail_tokens WHERE family = \(value)
            UNION SELECT mailbox FROM sessions WHERE family = \(value) AND mailbox IS NOT NULL
            """
        case .user:
            """
            SELECT email FROM mail_tokens WHERE subject = \(value)
            UNION SELECT mailbox FROM sessions WHERE subject = \(value) AND mailbox IS NOT NULL
            UNION SELECT a.email FROM accounts a JOIN user_accounts u ON u.account_id = a.id
              WHERE CONCAT('user:', u.user_id) = \(value)
            """
        }
    }

    /// The revocations with a greater id, oldest first.
    ///
    /// Ids are given out before the transactions that use them commit, so a smaller id may appear after a greater one:
    /// readers ask from a little before the last id they saw, and applying one twice does no harm.
    public func after(_ id: Int64) async throws -> [Revocation] {
        try await database.query(
            """
            SELECT r.id, r.at, r.kind, r.value, r.not_before,
              (SELECT GROUP_CONCAT(m.email SEPARATOR ' ') FROM revocation_mailboxes m WHERE m.revocation_id = r.id)
                AS mailboxes
            FROM revocations r WHERE r.id > \(id) ORDER BY r.id
            """
        ).map { row in
            Revocation(
                id: try row.int64("id"), at: try row.int64("at"),
                kind: Revocation.Kind(rawValue: try row.string("kind")) ?? .jti, value: try row.string("value"),
                notBefore: try row.int64("not_before"),
                mailboxes: try row.optionalString("mailboxes")?.split(separator: " ").map(String.init) ?? [])
        }
    }

    /// Forgets those whose tokens have all expired by themselves.
    /// - Parameter horizon: Milliseconds since 1970; older ones go.
    public func purge(before horizon: Int64) async throws {
        try await database.execute("DELETE FROM revocations WHERE at < \(horizon)")
    }
}
