import MariaDB
public import MailModel

extension AccountStore {
    /// Which mailboxes are wanted; what is nil does not matter.
    public struct Filter: Sendable, Equatable {
        public enum Order: String, Sendable, CaseIterable {
            case email, created_at, quota_mb, used_mb, last_login
        }

        public var domainID: Int64?
        public var customerID: Int64?
        /// A part of the address or of the display name.
        public var search: String?
        public var status: Account.Status?
        /// Those that are deleted and not yet gone, instead of those that are there.
        public var deleted = false
        public var order = Order.email
        public var isDescending = false

        public init() {}

        /// Whether all of a domain's mailboxes are wanted, whose number is known.
        fileprivate var isWholeDomain: Bool {
            domainID != nil && customerID == nil && search == nil && status == nil && !deleted
        }
    }

    /// - Throws: `Failure.notFound` for a domain outside the scope.
    public func list(_ filter: Filter, _ page: PageRequest, scope: Scope) async throws -> Page<Account> {
        if filter.isWholeDomain, let found = try await wholeDomain(filter, page, scope: scope) { return found }
        if let domainID = filter.domainID { _ = try await database.domains.reach(domainID, scope: scope) }
        let condition = try filter.condition(scope: scope)
        let accounts = try await list(where: condition + filter.ordering + SQL.page(page))
        return Page(items: accounts, request: page, total: try await total(filter, condition))
    }

    /// The page, its total and whether the caller may see it, in one statement, which is what the call takes longest for.
    /// - Returns: nil when there is no mailbox on the page, for whatever reason.
    private func wholeDomain(_ filter: Filter, _ page: PageRequest, scope: Scope) async throws -> Page<Account>? {
        let condition =
            try filter.condition(scope: scope) + " AND d.deleted_at IS NULL AND "
            + SQL.domainVisible(to: scope)
        let rows = try await rows(
            ", COALESCE(t.accounts, 0) AS total", "LEFT JOIN domain_totals t ON t.domain_id = d.id",
            where: condition + filter.ordering + SQL.page(page))
        guard let first = rows.first else { return nil }
        return Page(items: try Self.accounts(rows), request: page, total: try first.int("total"))
    }

    /// The mailboxes after an id, by id: to go through all of them.
    public func batch(_ filter: Filter, after id: Int64, limit: Int, scope: Scope) async throws -> [Account] {
        let condition = try filter.condition(scope: scope)
        return try await list(where: condition + " AND a.id > \(id) ORDER BY a.id LIMIT \(limit)")
    }

    private func total(_ filter: Filter, _ condition: SQL) async throws -> Int {
        let count: SQL =
            if filter.isWholeDomain, let id = filter.domainID {
                "SELECT accounts AS n FROM domain_totals WHERE domain_id = \(id)"
            } else {
                """
                SELECT COUNT(*) AS n FROM accounts a JOIN domains d ON d.id = a.domain_id
                JOIN customers c ON c.id = d.customer_id WHERE \(condition)
                """
            }
        return try await database.query(count).first?.int("n") ?? 0
    }
}

extension AccountStore.Filter {
    fileprivate func condition(scope: Scope) throws -> SQL {
        var conditions: [SQL] = []
        // The domain was looked at by itself: an index then gives the page in its order.
        if let domainID {
            conditions.append(
                "a.domain_id = \(domainID) AND \(deleted ? "a.deleted_at IS NOT NULL" : "a.deleted_at IS NULL" as SQL)")
        } else {
            conditions.append(SQL.accountVisible(to: scope))
            conditions.append(deleted ? "NOT \(AccountStore.exists)" : AccountStore.exists)
        }
        if let customerID { conditions.append("d.customer_id = \(customerID)") }
        if let status {
            let wanted: SQL = status == .active ? "" : "NOT "
            conditions.append("\(wanted)(a.status = 'active' AND d.status <> 'suspended' AND c.status = 'active')")
        }
        if let search {
            conditions.append("(LOCATE(\(search.lowercased()), a.email) > 0 OR LOCATE(\(search), a.display_name) > 0)")
        }
        return conditions.joined(separator: " AND ")
    }

    fileprivate var ordering: SQL {
        let column: SQL =
            switch order {
            case .email: "a.email"
            case .created_at: "a.id"
            case .quota_mb: "a.quota_mb"
            case .used_mb: "COALESCE(u.bytes, 0)"
            case .last_login: "GREATEST(COALESCE(a.last_login, 0), COALESCE(l.last_login, 0) * 1000)"
            }
        return " ORDER BY \(column)\(isDescending ? " DESC" : "" as SQL)"
    }
}
