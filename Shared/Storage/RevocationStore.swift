import MariaDB
public import MailModel

/// The ledger of revocations: appended to, never changed. Redis tells of a new one, this is where it lasts.
public struct RevocationStore: Sendable {
    let database: Database

    /// Everything of this value issued before now is dead.
    ///
    /// - Parameter mailboxes: Whose live sessions end with it, beside those that the database knows of: of an account its
    ///   own, of a user all of its mailboxes and those it made mail tokens for, of a session or a token likewise.
    @discardableResult
    public func add(_ kind: Revocation.Kind, _ value: String, mailboxes: [String] = []) async throws -> Revocation {
        try await addIfNew(kind, value, mailboxes: mailboxes).revocation
    }

    /// As `add`, and says whether there is something to announce: a token or a session is dead for good, so that it is
    /// in the ledger once, however often somebody shows it.
    public func addIfNew(
        _ kind: Revocation.Kind, _ value: String, mailboxes: [String] = []
    ) async throws -> (revocation: Revocation, isNew: Bool) {
        try await database.transaction { tx in try Self.addIfNew(kind, value, mailboxes: mailboxes, in: tx) }
    }

    /// As part of another change, so that a suspension without its revocation cannot be.
    @discardableResult
    static func add(
        _ kind: Revocation.Kind, _ value: String, mailboxes: [String] = [], in tx: Transaction
    ) throws -> Revocation {
        try addIfNew(kind, value, mailboxes: mailboxes, in: tx).revocation
    }

    static func addIfNew(
        _ kind: Revocation.Kind, _ value: String, mailboxes: [String], in tx: Transaction
    ) throws -> (revocation: Revocation, isNew: Bool) {
        if let known = try known(kind, value, in: tx) { return (known, false) }
        // What a session had opened ended with it.
        let affected =
            try isOver(kind, value, in: tx)
            ? [] : Set(mailboxes + tx.query(mailboxesOf(kind, value)).map { try $0.string("email") })
        for statement in endings(kind, value) { try tx.execute(statement) }
        // Only now: who was just getting a token has got it, and with an earlier time than this.
        let now = try clock(in: tx)
        let id: Int64
        do {
            id = try tx.execute(
                """
                INSERT INTO revocations (at, kind, value, not_before)
                VALUES (\(now), \(kind.rawValue), \(value), \(now))
                """
            ).lastInsertID
        } catch let error as MariaDBError where error.isDuplicateKey {
            guard let known = try known(kind, value, in: tx) else { throw error }
            return (known, false)
        }
        for email in affected {
            try tx.execute("INSERT INTO revocation_mailboxes (revocation_id, email) VALUES (\(id), \(email))")
        }
        let made = Revocation(
            id: id, at: now, kind: kind, value: value, notBefore: now, mailboxes: affected.sorted())
        return (made, true)
    }

    /// Ends a session and its tokens, and leaves what was opened with them alone.
    static func end(family: String, in tx: Transaction) throws {
        for statement in endings(.family, family) { try tx.execute(statement) }
        try add(.family, family, in: tx)
    }

    /// Milliseconds since 1970, by the one clock that all who revoke share.
    static func clock(in tx: Transaction) throws -> Int64 {
        let row = try tx.query(
            "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000 AS now"
        ).first
        return try row?.int64("now") ?? Timestamp.now()
    }

    private static func known(_ kind: Revocation.Kind, _ value: String, in tx: Transaction) throws -> Revocation? {
        guard kind == .jti || kind == .family else { return nil }
        return try tx.query(select(where: "r.once = \(kind.rawValue + " " + value)")).first.map(revocation)
    }

    /// Whether it is a session that ended without being in the ledger: with its owner.
    private static func isOver(_ kind: Revocation.Kind, _ value: String, in tx: Transaction) throws -> Bool {
        guard kind == .family else { return false }
        let rows = try tx.query(
            "SELECT ended_at IS NOT NULL AS ended FROM sessions WHERE family = \(value) FOR UPDATE")
        return try rows.first?.bool("ended") ?? false
    }

    /// What would make new tokens or is as good as one: grants that wait to be exchanged, sessions with their refresh
    /// tokens, app passwords. In this order: who exchanges a grant just now has the session that ends after it.
    private static func endings(_ kind: Revocation.Kind, _ value: String) -> [SQL] {
        let now = Timestamp.now()
        let owned: SQL, appPasswords: SQL
        switch kind {
        case .jti: return []
        case .family:
            return ["UPDATE sessions SET ended_at = \(now) WHERE family = \(value) AND ended_at IS NULL"]
        case .user:
            owned = "subject = \(value)"
            appPasswords = madeByPerson("\(value)")
        case .account:
            owned = """
                (mailbox = \(value)
                 OR subject = (SELECT CONVERT(CONCAT('account:', id) USING ascii) COLLATE ascii_bin
                               FROM accounts WHERE email = \(value)))
                """
            appPasswords = "account_id = (SELECT id FROM accounts WHERE email = \(value))"
        }
        return [
            // A code that was exchanged stays, to notice its replay.
            "DELETE FROM oauth_codes WHERE family IS NULL AND " + owned,
            "DELETE FROM device_codes WHERE status = 'approved' AND " + owned,
            "UPDATE sessions SET ended_at = \(now) WHERE ended_at IS NULL AND " + owned,
            "DELETE FROM app_passwords WHERE " + appPasswords,
        ]
    }

    /// Those that a service made for people are not its own: they outlive its token.
    static func madeByPerson(_ subject: SQL) -> SQL { "(created_by = \(subject) AND created_by NOT LIKE 'service:%')" }

    /// The condition that a subject, or the mailbox that its tokens open, was revoked after a moment: three look-ups in
    /// an index, however much the ledger holds.
    static func isRevoked(subject: SQL, mailbox: SQL, since moment: SQL) -> SQL {
        """
        (EXISTS (SELECT 1 FROM revocations r
           WHERE r.kind = 'user' AND r.value = \(subject) AND r.not_before > \(moment))
         OR EXISTS (SELECT 1 FROM revocations r
           WHERE r.kind = 'account' AND r.value = \(mailbox) AND r.not_before > \(moment))
         OR EXISTS (SELECT 1 FROM accounts a JOIN revocations r ON r.kind = 'account' AND r.value = a.email
           WHERE a.id = IF(\(subject) LIKE 'account:%', CAST(SUBSTRING(\(subject), 9) AS UNSIGNED), NULL)
             AND r.not_before > \(moment)))
        """
    }

    /// Whether the person, or the mailbox that its tokens are to open, was revoked after a moment.
    /// - Parameter moment: Milliseconds since 1970.
    public func isRevoked(subject: String, mailbox: String? = nil, since moment: Int64) async throws -> Bool {
        let condition = Self.isRevoked(subject: "\(subject)", mailbox: "\(mailbox)", since: "\(moment)")
        return try await database.query("SELECT \(condition) AS revoked").first?.bool("revoked") ?? false
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
            UNION SELECT a.email FROM accounts a JOIN app_passwords p ON p.account_id = a.id
              WHERE \(madeByPerson("\(value)"))
            UNION SELECT a.email FROM accounts a JOIN user_accounts u ON u.account_id = a.id
              WHERE CONCAT('user:', u.user_id) = \(value)
            """
        }
    }

    /// The revocations with a greater id that can still hit a token, oldest first.
    ///
    /// Ids are given out before the transactions that use them commit, so a smaller id may appear after a greater one:
    /// readers ask from a little before the last id they saw, and applying one twice does no harm.
    public func after(_ id: Int64) async throws -> [Revocation] { try await after(id, slice: Self.sliceSize) }

    /// - Parameter slice: How many a statement reads: nobody is let in before all were, so that a great many must not
    ///   take longer than a statement may.
    func after(_ id: Int64, slice: Int) async throws -> [Revocation] {
        // No token lives longer than an hour.
        let horizon = Timestamp.now() - 2 * 3_600_000
        let row = try await database.query("SELECT MIN(id) AS id FROM revocations WHERE at > \(horizon)").first
        guard let oldest = try row?.optionalInt64("id") else { return [] }
        var found: [Revocation] = [], last = max(id, oldest - 1)
        while true {
            let rows = try await database.query(
                Self.select(where: "r.id > \(last) AND r.at > \(horizon) ORDER BY r.id LIMIT \(slice)"))
            found += try rows.map(Self.revocation)
            guard rows.count == slice, let end = found.last?.id else { return found }
            last = end
        }
    }

    static func select(where condition: SQL) -> SQL {
        """
        SELECT r.id, r.at, r.kind, r.value, r.not_before,
          (SELECT GROUP_CONCAT(m.email SEPARATOR ' ') FROM revocation_mailboxes m WHERE m.revocation_id = r.id)
            AS mailboxes
        FROM revocations r WHERE \(condition)
        """
    }

    static func revocation(_ row: Row) throws -> Revocation {
        Revocation(
            id: try row.int64("id"), at: try row.int64("at"),
            kind: Revocation.Kind(rawValue: try row.string("kind")) ?? .jti, value: try row.string("value"),
            notBefore: try row.int64("not_before"),
            mailboxes: try row.optionalString("mailboxes")?.split(separator: " ").map(String.init) ?? [])
    }

    /// Forgets those whose tokens have all expired by themselves.
    /// - Parameter horizon: Milliseconds since 1970; older ones go.
    public func purge(before horizon: Int64) async throws {
        try await database.execute("DELETE FROM revocations WHERE at < \(horizon)")
    }
}
