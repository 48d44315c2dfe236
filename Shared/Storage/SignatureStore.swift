import MariaDB
public import MailModel

/// The signatures of the mailboxes.
public struct SignatureStore: Sendable {
    let database: Database

    /// How many a mailbox may have.
    public static let limit = 50

    /// A new signature of a mailbox. When it is the default, no other is any more.
    ///
    /// - Throws: `Failure` `notFound` when there is no such mailbox, `invalid` when it has as many as it may.
    public func create(_ draft: Signature.Draft, mailbox: String) async throws -> Signature {
        let now = Timestamp.now()
        let id = try await database.transaction { tx in
            // Its lock puts those who change the signatures of one mailbox in line.
            let rows = try tx.query("SELECT id FROM accounts WHERE email = \(mailbox) FOR UPDATE")
            guard let account = try rows.first?.int64("id") else { throw Failure.notFound("This mailbox") }
            let count = try tx.query("SELECT COUNT(*) AS n FROM signatures WHERE account_id = \(account)").first?.int(
                "n")
            guard (count ?? 0) < Self.limit else {
                throw Failure.invalid("signatures", code: "too_many", "a mailbox may have \(Self.limit)")
            }
            if draft.isDefault { try Self.clearDefault(of: account, in: tx) }
            return try tx.execute(
                """
                INSERT INTO signatures (account_id, name, html, plain, is_default, rules, created_at, updated_at) VALUES
                (\(account), \(draft.name), \(draft.html), \(draft.plain), \(draft.isDefault), \(draft.storedRules),
                 \(now), \(now))
                """
            ).lastInsertID
        }
        return try await find(id, mailbox: mailbox)
    }

    /// - Throws: `Failure.notFound` also for one of a mailbox outside the scope.
    public func find(_ id: Int64, scope: Scope) async throws -> Signature {
        guard let found = try await list(where: "s.id = \(id) AND \(SQL.accountVisible(to: scope))").first else {
            throw Failure.notFound("This signature")
        }
        return found
    }

    /// The signature of that id, if it is the mailbox's own.
    ///
    /// - Throws: `Failure.notFound` also for another mailbox's.
    public func find(_ id: Int64, mailbox: String) async throws -> Signature {
        try await find(id, scope: .accounts([mailbox]))
    }

    /// Those of all mailboxes in the scope.
    ///
    /// - Throws: `Failure.notFound` when the scope is one mailbox that does not exist.
    public func list(_ page: PageRequest, scope: Scope) async throws -> Page<Signature> {
        if case .accounts(let emails) = scope, let email = emails.first, emails.count == 1 {
            try await database.requireMailbox(email)
        }
        let visible = SQL.accountVisible(to: scope)
        let items = try await list(where: visible + " ORDER BY s.id" + SQL.page(page))
        let total = try await database.query(
            """
            SELECT COUNT(*) AS n FROM signatures s JOIN accounts a ON a.id = s.account_id
            JOIN domains d ON d.id = a.domain_id WHERE \(visible)
            """
        ).first?.int("n")
        return Page(items: items, request: page, total: total ?? 0)
    }

    /// Puts another in its place, of the same id and mailbox.
    ///
    /// - Throws: `Failure.notFound` also for one of a mailbox outside the scope.
    public func replace(_ id: Int64, _ draft: Signature.Draft, scope: Scope) async throws -> Signature {
        let mailbox = try await find(id, scope: scope).account
        try await database.transaction { tx in
            let rows = try tx.query("SELECT id FROM accounts WHERE email = \(mailbox) FOR UPDATE")
            guard let account = try rows.first?.int64("id") else { throw Failure.notFound("This signature") }
            if draft.isDefault { try Self.clearDefault(of: account, in: tx) }
            let outcome = try tx.execute(
                """
                UPDATE signatures SET name = \(draft.name), html = \(draft.html), plain = \(draft.plain),
                  is_default = \(draft.isDefault), rules = \(draft.storedRules), updated_at = \(Timestamp.now())
                WHERE id = \(id) AND account_id = \(account)
                """)
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This signature") }
        }
        return try await find(id, scope: scope)
    }

    /// - Throws: `Failure.notFound` also for one of a mailbox outside the scope.
    public func delete(_ id: Int64, scope: Scope) async throws {
        _ = try await find(id, scope: scope)
        try await database.execute("DELETE FROM signatures WHERE id = \(id)")
    }

    /// The signature of a mailbox that is best for a recipient; nil for none.
    ///
    /// - Throws: `Failure.notFound` when there is no such mailbox.
    public func best(for recipient: EmailAddress, mailbox: String) async throws -> Signature? {
        let rows = try await database.query(
            """
            SELECT s.id, s.is_default, s.rules FROM accounts a LEFT JOIN signatures s ON s.account_id = a.id
            WHERE a.email = \(mailbox)
            """)
        guard !rows.isEmpty else { throw Failure.notFound("This mailbox") }
        let choices = try rows.compactMap { row -> SignatureChoice? in
            guard let id = try row.optionalInt64("id") else { return nil }
            return SignatureChoice(
                id: id, isDefault: try row.bool("is_default"), rules: Signature.Rule.stored(try row.string("rules")))
        }
        guard let id = SignatureChoice.best(of: choices, for: recipient) else { return nil }
        return try await list(where: "s.id = \(id) AND a.email = \(mailbox)").first
    }

    private static func clearDefault(of account: Int64, in tx: Transaction) throws {
        try tx.execute("UPDATE signatures SET is_default = FALSE WHERE account_id = \(account) AND is_default")
    }

    private func list(where condition: SQL) async throws -> [Signature] {
        try await database.query(
            """
            SELECT s.id, a.email, s.name, s.html, s.plain, s.is_default, s.rules, s.created_at, s.updated_at
            FROM signatures s JOIN accounts a ON a.id = s.account_id JOIN domains d ON d.id = a.domain_id
            WHERE \(condition)
            """
        ).map { row in
            Signature(
                id: try row.int64("id"), account: try row.string("email"),
                Signature.Draft(
                    name: try row.string("name"), html: try row.string("html"), plain: try row.string("plain"),
                    isDefault: try row.bool("is_default"), rules: Signature.Rule.stored(try row.string("rules"))),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
                updatedAt: Timestamp.rfc3339(milliseconds: try row.int64("updated_at")))
        }
    }
}

extension Signature.Draft {
    fileprivate var storedRules: String {
        rules.map { "\($0.matchType.rawValue) \($0.matchValue)" }.joined(separator: "\n")
    }
}

extension Signature.Rule {
    fileprivate static func stored(_ text: String) -> [Signature.Rule] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: " ", maxSplits: 1)
            return parts.first.flatMap { MatchType(rawValue: String($0)) }
                .map { Signature.Rule($0, parts.count == 2 ? String(parts[1]) : "") }
        }
    }
}

extension Database {
    /// - Throws: `Failure.notFound` when there is no mailbox of that address.
    func requireMailbox(_ email: String) async throws {
        guard try await !query("SELECT id FROM accounts WHERE email = \(email)").isEmpty else {
            throw Failure.notFound("This mailbox")
        }
    }
}
