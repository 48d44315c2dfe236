import MariaDB
public import MailModel

/// Who is told of mail events by HTTP.
public struct WebhookStore: Sendable {
    let database: Database

    /// How many an owner may have.
    public static let limit = 100

    /// A new webhook.
    ///
    /// - Parameter secret: What its calls are signed with, as it is to be kept.
    /// - Throws: `Failure`: `notFound` when a mailbox is none of the scope's, `invalid` when there are as many as may be.
    public func create(
        _ draft: Webhook.Draft, secret: String, owner: Webhook.Owner, scope: Scope
    ) async throws -> Webhook {
        let id = try await database.transaction { tx in
            let own: SQL = owner == .platform ? "w.owner = 'platform'" : Self.visible(to: scope)
            let count = try tx.query("SELECT COUNT(*) AS n FROM webhooks w WHERE \(own)")
            guard try count.first?.int("n") ?? 0 < Self.limit else {
                throw Failure.invalid("webhooks", code: "too_many", "there may be \(Self.limit)")
            }
            var accounts: [Int64] = []
            for email in draft.accounts {
                let rows = try tx.query(
                    """
                    SELECT a.id FROM accounts a JOIN domains d ON d.id = a.domain_id
                    WHERE a.email = \(email) AND \(SQL.accountVisible(to: scope))
                    """)
                guard let row = rows.first else { throw Failure.notFound("The mailbox \(email)") }
                accounts.append(try row.int64("id"))
            }
            let id = try tx.execute(
                """
                INSERT INTO webhooks (owner, customer_id, url, secret, events, is_for_all, created_at) VALUES
                (\(owner.word), \(owner.customerID), \(draft.url), \(secret), \(draft.events.joined(separator: " ")),
                 \(accounts.isEmpty), \(Timestamp.now()))
                """
            ).lastInsertID
            for account in accounts {
                try tx.execute("INSERT INTO webhook_accounts (webhook_id, account_id) VALUES (\(id), \(account))")
            }
            return id
        }
        return try await find(id, scope: scope)
    }

    /// - Throws: `Failure.notFound` also for one outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Webhook {
        guard let found = try await list(where: "w.id = \(id) AND \(Self.visible(to: scope))").first else {
            throw Failure.notFound("This webhook")
        }
        return found
    }

    public func list(_ page: PageRequest, scope: Scope) async throws -> Page<Webhook> {
        let visible = Self.visible(to: scope)
        let items = try await list(where: visible + " ORDER BY w.id" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM webhooks w WHERE \(visible)").first?.int("n")
        return Page(items: items, request: page, total: total ?? 0)
    }

    /// With all that is still to be told to it.
    ///
    /// - Throws: `Failure.notFound` also for one outside the scope.
    public func delete(_ id: Int64, scope: Scope) async throws {
        _ = try await find(id, scope: scope)
        try await database.execute("DELETE FROM webhooks WHERE id = \(id)")
    }

    /// What its calls are signed with, as it is kept.
    ///
    /// - Throws: `Failure.notFound` also for one outside the scope.
    public func secret(of id: Int64, scope: Scope) async throws -> String {
        let rows = try await database.query(
            "SELECT w.secret FROM webhooks w WHERE w.id = \(id) AND \(Self.visible(to: scope))")
        guard let row = rows.first else { throw Failure.notFound("This webhook") }
        return try row.string("secret")
    }

    /// Events given up, the newest first.
    ///
    /// - Throws: `Failure.notFound` also for a webhook outside the scope.
    public func deadLetters(of id: Int64, _ page: PageRequest, scope: Scope) async throws -> Page<DeadLetter> {
        _ = try await find(id, scope: scope)
        let condition: SQL = "webhook_id = \(id) AND next_at IS NULL"
        let rows = try await database.query(
            """
            SELECT id, account, event_id, event_type, attempts, last_status, last_error, created_at
            FROM webhook_deliveries WHERE \(condition) ORDER BY id DESC
            """ + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM webhook_deliveries WHERE \(condition)")
        return Page(items: try rows.map { try DeadLetter($0) }, request: page, total: try total.first?.int("n") ?? 0)
    }

    /// Tries them again from the beginning; all of a webhook's, or one.
    ///
    /// - Returns: How many.
    /// - Throws: `Failure.notFound` also for one outside the scope.
    public func retryDeadLetters(of id: Int64, only letter: Int64?, scope: Scope) async throws -> Int {
        _ = try await find(id, scope: scope)
        let which: SQL = letter.map { "id = \($0)" } ?? "TRUE"
        let outcome = try await database.execute(
            """
            UPDATE webhook_deliveries SET next_at = \(Timestamp.now()), attempts = 0, lease = NULL
            WHERE webhook_id = \(id) AND next_at IS NULL AND \(which)
            """)
        if letter != nil, outcome.affectedRows == 0 { throw Failure.notFound("This event") }
        try await database.execute("UPDATE webhooks SET status = 'active' WHERE id = \(id)")
        return Int(outcome.affectedRows)
    }

    /// The condition under which a row of `webhooks w` is within the scope: mailboxes see what was made by their holders,
    /// and only where no other mailbox is told of.
    static func visible(to scope: Scope) -> SQL {
        switch scope {
        case .everything: "TRUE"
        case .customer(let id): "w.customer_id = \(id)"
        case .accounts, .limited:
            """
            (w.owner = 'mailbox' AND EXISTS (SELECT 1 FROM webhook_accounts x WHERE x.webhook_id = w.id)
             AND NOT EXISTS (SELECT 1 FROM webhook_accounts x JOIN accounts a ON a.id = x.account_id
               JOIN domains d ON d.id = a.domain_id
               WHERE x.webhook_id = w.id AND NOT \(SQL.accountVisible(to: scope))))
            """
        }
    }

    private func list(where condition: SQL) async throws -> [Webhook] {
        try await database.query(
            """
            SELECT w.id, w.url, w.events, w.status, w.last_status, w.last_error, w.last_attempt_at, w.created_at,
              (SELECT GROUP_CONCAT(a.email ORDER BY a.email SEPARATOR ' ') FROM webhook_accounts x
               JOIN accounts a ON a.id = x.account_id WHERE x.webhook_id = w.id) AS accounts,
              (SELECT COUNT(*) FROM webhook_deliveries q WHERE q.webhook_id = w.id AND q.next_at IS NOT NULL) AS pending,
              (SELECT COUNT(*) FROM webhook_deliveries q WHERE q.webhook_id = w.id AND q.next_at IS NULL) AS dead
            FROM webhooks w WHERE \(condition)
            """
        ).map { try Webhook($0) }
    }
}

extension Webhook {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row.int64("id"),
            Draft(
                url: try row.string("url"),
                accounts: (try row.optionalString("accounts") ?? "").split(separator: " ").map(String.init),
                events: try row.string("events").split(separator: " ").map(String.init)),
            status: Status(rawValue: try row.string("status")) ?? .disabled, pending: try row.int("pending"),
            dead: try row.int("dead"), lastStatus: try row.optionalInt64("last_status").map(Int.init),
            lastError: try row.optionalString("last_error"),
            lastAttemptAt: try row.optionalInt64("last_attempt_at").map { Timestamp.rfc3339(milliseconds: $0) },
            createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
    }
}

extension DeadLetter {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row.int64("id"), account: try row.string("account"), eventID: try row.string("event_id"),
            type: try row.string("event_type"), attempts: try row.int("attempts"),
            lastStatus: try row.optionalInt64("last_status").map(Int.init),
            lastError: try row.optionalString("last_error"),
            createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")))
    }
}

extension Webhook.Owner {
    fileprivate var word: String {
        switch self {
        case .platform: "platform"
        case .customer: "customer"
        case .mailboxes: "mailbox"
        }
    }

    fileprivate var customerID: Int64? {
        if case .customer(let id) = self { id } else { nil }
    }
}
