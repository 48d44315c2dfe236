import MariaDB
import MailModel

extension RevocationStore {
    /// How many mailboxes a statement revokes: a small part of the time that a statement has.
    static let sliceSize = 10_000

    /// Revokes many mailboxes, and users, with as many statements as one, and as many again for each further ten thousand:
    /// a large customer is suspended in a moment.
    ///
    /// - Parameters:
    ///   - accounts: Which, as a condition on `accounts a` and their `domains d`.
    ///   - users: Which, as a condition on `users u`; nil for none.
    ///   - slice: How many mailboxes at a time.
    /// - Returns: The revocations to announce.
    static func addAll(
        accounts: SQL, users: SQL? = nil, slice: Int = RevocationStore.sliceSize, in tx: Transaction
    ) throws -> [Revocation] {
        let slices = try slices(of: accounts, slice, in: tx)
        let groups = [users.map(Group.users)].compactMap(\.self) + slices.map(Group.accounts)
        for group in groups { for statement in group.endings { try tx.execute(statement) } }
        // As for one: who was just getting a token has got it.
        let now = try clock(in: tx)
        var revocations: [Revocation] = []
        for group in groups {
            // Its rows have their ids from here on: those of the slices before need not be looked at again.
            let first = try tx.execute(
                """
                INSERT INTO revocations (at, kind, value, not_before)
                SELECT \(now), \(group.kind.rawValue), \(group.value), \(now) FROM \(group.rows)
                """
            ).lastInsertID
            for source in group.mailboxes {
                try tx.execute(
                    """
                    INSERT IGNORE INTO revocation_mailboxes (revocation_id, email)
                    SELECT r.id, m.email FROM revocations r JOIN (\(source)) m ON m.value = r.value
                    WHERE r.at = \(now) AND r.id >= \(first) AND r.kind = \(group.kind.rawValue)
                    """)
            }
            revocations += try tx.query(
                select(
                    where: """
                        r.at = \(now) AND r.id >= \(first) AND r.kind = \(group.kind.rawValue)
                        AND r.value IN (SELECT \(group.value) FROM \(group.rows)) ORDER BY r.id
                        """)
            ).map(revocation)
            try tx.execute(group.appPasswords)
        }
        return revocations
    }

    /// The condition on mailboxes in parts that have about `slice` of them each, in order of their ids.
    private static func slices(of condition: SQL, _ slice: Int, in tx: Transaction) throws -> [SQL] {
        var slices: [SQL] = [], last: Int64 = 0
        func end() throws -> Int64? {
            try tx.query(
                """
                SELECT a.id FROM accounts a JOIN domains d ON d.id = a.domain_id
                WHERE (\(condition)) AND a.id > \(last) ORDER BY a.id LIMIT 1 OFFSET \(slice - 1)
                """
            ).first?.int64("id")
        }
        while let id = try end() {
            slices.append("(\(condition)) AND a.id > \(last) AND a.id <= \(id)")
            last = id
        }
        return slices + ["(\(condition)) AND a.id > \(last)"]
    }

    /// Rows whose owners are revoked together.
    private struct Group {
        let kind: Revocation.Kind
        /// The table and, of it, the condition.
        let from: SQL
        let condition: SQL
        /// What the ledger calls such a row.
        let value: SQL
        /// Of a table `t`: how its rows belong to such a row.
        let owned: [SQL]
        /// Of `app_passwords t`.
        let madeFor: SQL
        /// Each a query for pairs of `value` and `email`: whose live sessions end.
        let mailboxes: [SQL]

        var rows: SQL { "\(from) WHERE \(condition)" }

        var endings: [SQL] {
            let now = Timestamp.now()
            return owned.flatMap { owned -> [SQL] in
                [
                    """
                    DELETE t FROM \(from) JOIN oauth_codes t ON \(owned) WHERE t.family IS NULL AND \(condition)
                    """,
                    """
                    DELETE t FROM \(from) JOIN device_codes t ON \(owned) WHERE t.status = 'approved' AND \(condition)
                    """,
                    """
                    UPDATE \(from) JOIN sessions t ON \(owned) SET t.ended_at = \(now)
                    WHERE t.ended_at IS NULL AND \(condition)
                    """,
                ]
            }
        }

        var appPasswords: SQL { "DELETE t FROM \(from) JOIN app_passwords t ON \(madeFor) WHERE \(condition)" }

        static func users(_ condition: SQL) -> Group {
            let subject: SQL = "CONVERT(CONCAT('user:', u.id) USING ascii) COLLATE ascii_bin"
            let value: SQL = "CONCAT('user:', u.id)"
            return Group(
                kind: .user, from: "users u", condition: condition, value: value, owned: ["t.subject = \(subject)"],
                madeFor: "t.created_by = \(subject)",
                mailboxes: [
                    "SELECT \(value) AS value, t.email FROM users u JOIN mail_tokens t ON t.subject = \(subject)",
                    """
                    SELECT \(value) AS value, t.mailbox AS email FROM users u
                    JOIN sessions t ON t.subject = \(subject) AND t.mailbox IS NOT NULL
                    """,
                    """
                    SELECT \(value) AS value, a.email FROM users u JOIN app_passwords t ON t.created_by = \(subject)
                    JOIN accounts a ON a.id = t.account_id
                    """,
                    """
                    SELECT \(value) AS value, a.email FROM users u JOIN user_accounts t ON t.user_id = u.id
                    JOIN accounts a ON a.id = t.account_id
                    """,
                ].map { $0 + " WHERE \(condition)" })
        }

        static func accounts(_ condition: SQL) -> Group {
            let from: SQL = "accounts a JOIN domains d ON d.id = a.domain_id"
            return Group(
                kind: .account, from: from, condition: condition, value: "a.email",
                owned: [
                    "t.mailbox = a.email",
                    "t.subject = CONVERT(CONCAT('account:', a.id) USING ascii) COLLATE ascii_bin",
                ],
                madeFor: "t.account_id = a.id",
                mailboxes: ["SELECT a.email AS value, a.email FROM \(from) WHERE \(condition)"])
        }
    }
}
