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
        for statement in endings(kind, value, now) { try tx.execute(statement) }
        return Revocation(
            id: id, at: now, kind: kind, value: value, notBefore: now, mailboxes: affected.sorted())
    }

    /// What would make new tokens: sessions with their refresh tokens, and grants that wait to be exchanged.
    private static func endings(_ kind: Revocation.Kind, _ value: String, _ now: Int64) -> [SQL] {
        let owned: SQL
        switch kind {
        case .jti: return []
        case .family:
            return ["UPDATE sessions SET ended_at = \(now) WHERE family = \(value) AND ended_at IS NULL"]
        case .user: owned = "subject = \(value)"
        case .account:
            owned = """
                (mailbox = \(value)
                 OR subject = (SELECT CONVERT(CONCAT('account:', id) USING ascii) COLLATE ascii_bin
                               FROM accounts WHERE email = \(value)))
                """
        }
        return [
            "UPDATE sessions SET ended_at = \(now) WHERE ended_at IS NULL AND " + owned,
            // A code that was exchanged stays, to notice its replay.
            "DELETE FROM oauth_codes WHERE family IS NULL AND " + owned,
            "DELETE FROM device_codes WHERE status = 'approved' AND " + owned,
        ]
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

    /// The revocations with a greater id that can still hit a token, oldest first.
    ///
    /// Ids are given out before the transactions that use them commit, so a smaller id may appear after a greater one:
    /// readers ask from a little before the last id they saw, and applying one twice does no harm.
    public func after(_ id: Int64) async throws -> [Revocation] {
        // No token lives longer than an hour.
        let horizon = Timestamp.now() - 2 * 3_600_000
        return try await database.query(
            """
            SELECT r.id, r.at, r.kind, r.value, r.not_before,
              (SELECT GROUP_CONCAT(m.email SEPARATOR ' ') FROM revocation_mailboxes m WHERE m.revocation_id = r.id)
                AS mailboxes
            FROM revocations r WHERE r.id > \(id) AND r.at > \(horizon) ORDER BY r.id
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
