import MariaDB
import MailModel

/// What the watcher does with webhooks.
extension WebhookStore {
    /// An event to be told.
    public struct Letter: Sendable {
        public let eventID: String
        public let type: String
        /// When it happened: milliseconds since 1970.
        public let at: Int64
        /// JSON.
        public let body: [UInt8]

        public init(eventID: String, type: String, at: Int64, body: [UInt8]) {
            self.eventID = eventID
            self.type = type
            self.at = at
            self.body = body
        }
    }

    /// An event that is being told, under a lease.
    public struct Delivery: Sendable {
        public let id: Int64
        public let webhookID: Int64
        public let url: String
        public let secret: String
        public let body: [UInt8]
        /// This one included.
        public let attempts: Int
        let lease: Int64
    }

    /// For how long a delivery is leased: milliseconds.
    private static let leaseTime: Int64 = 60_000

    /// The active mailboxes with an active webhook.
    public func watchedAccounts() async throws -> [String] {
        try await database.query(
            """
            SELECT v.email FROM dovecot_users v JOIN accounts a ON a.email = v.email
            JOIN domains d ON d.id = a.domain_id WHERE v.active AND EXISTS (SELECT 1 FROM webhooks w WHERE \(Self.meant))
            """
        ).map { try $0.string("email") }
    }

    /// The id of the last event of the mailbox that was taken over; nil before the first.
    public func cursor(of account: String) async throws -> String? {
        try await database.query("SELECT event_id FROM webhook_cursors WHERE account = \(account)").first?
            .string("event_id")
    }

    /// Begins with what comes after this event, unless it has begun.
    public func begin(_ account: String, after eventID: String) async throws {
        try await database.execute(
            "INSERT IGNORE INTO webhook_cursors (account, event_id) VALUES (\(account), \(eventID))")
    }

    /// Takes events over for every webhook that wants them and was there when they happened, and remembers how far: all or
    /// nothing, and once, whoever else does it at the same time.
    public func enqueue(_ letters: [Letter], account: String, from cursor: String, through last: String) async throws {
        try await database.transaction { tx in
            let moved = try tx.execute(
                "UPDATE webhook_cursors SET event_id = \(last) WHERE account = \(account) AND event_id = \(cursor)")
            guard moved.affectedRows == 1 else { return }
            let hooks = try tx.query(
                """
                SELECT w.id, w.events, w.created_at FROM webhooks w JOIN accounts a JOIN domains d ON d.id = a.domain_id
                WHERE a.email = \(account) AND \(Self.meant)
                """)
            let now = Timestamp.now()
            for hook in hooks {
                let id = try hook.int64("id"), wanted = try hook.string("events").split(separator: " ")
                // The cursor may be that of a webhook that was deleted long ago.
                let since = try hook.int64("created_at")
                for letter in letters
                where letter.at >= since && (wanted.isEmpty || wanted.contains(Substring(letter.type))) {
                    try tx.execute(
                        """
                        INSERT IGNORE INTO webhook_deliveries
                          (webhook_id, account, event_id, event_type, body, next_at, created_at) VALUES
                        (\(id), \(account), \(letter.eventID), \(letter.type), \(letter.body), \(now), \(now))
                        """)
                }
            }
        }
    }

    /// How many events wait to be told, and how many were given up, of all webhooks.
    public func backlog() async throws -> (waiting: Int, dead: Int) {
        let rows = try await database.query(
            "SELECT COUNT(next_at) AS waiting, COUNT(*) - COUNT(next_at) AS dead FROM webhook_deliveries")
        guard let row = rows.first else { return (0, 0) }
        return (try row.int("waiting"), try row.int("dead"))
    }

    /// Leases deliveries whose time has come, the oldest first; no two workers get the same.
    ///
    /// - Parameter busy: Webhooks that are left alone for now.
    public func claim(atMost limit: Int, except busy: [Int64]) async throws -> [Delivery] {
        let token = Int64.random(in: 1...Int64.max)
        return try await database.transaction { tx in
            let now = Timestamp.now()
            let free: SQL = busy.isEmpty ? "TRUE" : "q.webhook_id NOT IN (\(list: busy))"
            let rows = try tx.query(
                """
                SELECT q.id, q.webhook_id, q.body, q.attempts FROM webhook_deliveries q
                WHERE q.next_at <= \(now) AND \(free) ORDER BY q.next_at, q.id LIMIT \(limit) FOR UPDATE SKIP LOCKED
                """)
            var deliveries: [Delivery] = []
            for row in rows {
                let id = try row.int64("id"), webhookID = try row.int64("webhook_id")
                let hook = try tx.query("SELECT url, secret FROM webhooks WHERE id = \(webhookID)").first
                guard let hook else { continue }
                try tx.execute(
                    """
                    UPDATE webhook_deliveries SET lease = \(token), next_at = \(now + Self.leaseTime),
                      attempts = attempts + 1 WHERE id = \(id)
                    """)
                deliveries.append(
                    Delivery(
                        id: id, webhookID: webhookID, url: try hook.string("url"), secret: try hook.string("secret"),
                        body: try row.bytes("body"), attempts: try row.int("attempts") + 1, lease: token))
            }
            return deliveries
        }
    }

    /// It was taken.
    public func delivered(_ delivery: Delivery, status: Int) async throws {
        try await database.execute(
            "DELETE FROM webhook_deliveries WHERE id = \(delivery.id) AND lease = \(delivery.lease)")
        try await note(delivery.webhookID, status: status, error: nil)
    }

    /// It was not taken.
    ///
    /// - Parameters:
    ///   - error: A stable word.
    ///   - retryAt: Milliseconds since 1970; nil gives it up.
    public func failed(_ delivery: Delivery, status: Int?, error: String, retryAt: Int64?) async throws {
        try await database.execute(
            """
            UPDATE webhook_deliveries SET lease = NULL, next_at = \(retryAt), last_status = \(status),
              last_error = \(error) WHERE id = \(delivery.id) AND lease = \(delivery.lease)
            """)
        try await note(delivery.webhookID, status: status, error: error)
    }

    /// Its receiver is gone: nothing is tried any more until its owner asks for it.
    public func disable(_ webhookID: Int64) async throws {
        try await database.execute("UPDATE webhooks SET status = 'disabled' WHERE id = \(webhookID)")
        try await database.execute(
            "UPDATE webhook_deliveries SET next_at = NULL WHERE webhook_id = \(webhookID) AND lease IS NULL")
    }

    /// Forgets what was given up long ago, and where mailboxes were that are no more.
    public func clean(deadSince: Int64) async throws {
        try await database.execute(
            "DELETE FROM webhook_deliveries WHERE next_at IS NULL AND created_at < \(deadSince) LIMIT 10000")
        try await database.execute("DELETE FROM webhook_cursors WHERE account NOT IN (SELECT email FROM accounts)")
    }

    /// Puts each secret as `change` has it, unless somebody else changes it meanwhile.
    public func changeSecrets(_ change: (String) throws -> String) async throws {
        for row in try await database.query("SELECT id, secret FROM webhooks") {
            let id = try row.int64("id"), old = try row.string("secret"), new = try change(old)
            guard new != old else { continue }
            try await database.execute("UPDATE webhooks SET secret = \(new) WHERE id = \(id) AND secret = \(old)")
        }
    }

    /// Ends those that were of these mailboxes alone: without them they would be of none, or seem to be of all.
    static func end(ofMailboxes emails: [String], in tx: Transaction) throws {
        let webhooks = try tx.query(
            """
            SELECT x.webhook_id FROM webhook_accounts x JOIN accounts a ON a.id = x.account_id
            WHERE a.email IN (\(list: emails))
            """
        ).map { try $0.int64("webhook_id") }
        guard !webhooks.isEmpty else { return }
        try tx.execute(
            """
            DELETE FROM webhooks WHERE id IN (\(list: webhooks)) AND NOT EXISTS (
              SELECT 1 FROM webhook_accounts x JOIN accounts a ON a.id = x.account_id
              WHERE x.webhook_id = webhooks.id AND a.email NOT IN (\(list: emails)))
            """)
    }

    private func note(_ id: Int64, status: Int?, error: String?) async throws {
        try await database.execute(
            """
            UPDATE webhooks SET last_status = \(status), last_error = \(error), last_attempt_at = \(Timestamp.now())
            WHERE id = \(id)
            """)
    }

    /// The condition under which an active webhook `w` is told of a mailbox `a` of a domain `d`.
    private static let meant: SQL = """
        w.status = 'active' AND (w.is_for_all AND (w.owner = 'platform' OR w.customer_id = d.customer_id)
          OR EXISTS (SELECT 1 FROM webhook_accounts x WHERE x.webhook_id = w.id AND x.account_id = a.id))
        """
}
