import MariaDB
public import MailModel

/// One of many mailboxes and aliases to be made.
public enum ImportOrder: Sendable {
    case account(AccountStore.Draft, domainID: Int64, domain: DomainName)
    case alias(AliasStore.Draft, domainID: Int64, domain: DomainName)
}

/// What became of it.
public enum ImportResult: Sendable {
    case created(id: Int64)
    /// There is one of that address already.
    case unchanged
    case failed(Failure)
}

extension Database {
    /// Makes many at once, in one transaction; one that cannot be made does not keep the others from it.
    ///
    /// Whoever calls has looked whether the domains are within the caller's scope.
    public func make(_ orders: [ImportOrder], by origin: AuditStore.Origin) async throws -> [ImportResult] {
        guard !orders.isEmpty else { return [] }
        return try await transaction { tx in try orders.map { try Self.make($0, by: origin, in: tx) } }
    }

    private static func make(
        _ order: ImportOrder, by origin: AuditStore.Origin, in tx: Transaction
    ) throws -> ImportResult {
        // What was begun for a row that fails is undone with it.
        try tx.execute("SAVEPOINT import_row")
        do {
            let id = try insert(order, by: origin, in: tx)
            return id.map(ImportResult.created) ?? .unchanged
        } catch let failure as Failure {
            try tx.execute("ROLLBACK TO SAVEPOINT import_row")
            return .failed(failure)
        }
    }

    private static func insert(
        _ order: ImportOrder, by origin: AuditStore.Origin, in tx: Transaction
    ) throws -> Int64? {
        switch order {
        case .account(let draft, let domainID, let domain):
            let email = try AccountStore.address(draft.localPart, of: domain).description
            guard try tx.query("SELECT id FROM accounts WHERE email = \(email)").isEmpty else { return nil }
            let customerID = try customer(of: domainID, in: tx)
            try LimitStore.admit(accounts: 1, quotaMB: draft.quotaMB, customerID: customerID, in: tx)
            try AccountStore.checkFree(email, domainID: domainID, in: tx)
            let id = try AccountStore.insert(draft, email: email, domainID: domainID, in: tx)
            try AuditStore.record(
                origin.event(
                    "account.created", target: email, customerID: customerID, detail: ["quota_mb": "\(draft.quotaMB)"]),
                in: tx)
            return id
        case .alias(let draft, let domainID, let domain):
            guard
                try tx.query("SELECT id FROM aliases WHERE domain_id = \(domainID) AND source = \(draft.source)")
                    .isEmpty
            else { return nil }
            return try AliasStore.create(
                draft, domainID: domainID, domain: domain, customerID: try customer(of: domainID, in: tx), by: origin,
                in: tx)
        }
    }

    private static func customer(of domainID: Int64, in tx: Transaction) throws -> Int64 {
        let row = try tx.query("SELECT customer_id FROM domains WHERE id = \(domainID) AND deleted_at IS NULL").first
        guard let row else { throw Failure.notFound("This domain") }
        return try row.int64("customer_id")
    }
}

extension AccountStore {
    /// Those of the addresses that have a mailbox, also one that is deleted and not yet gone.
    public func existing(emails: [String]) async throws -> Set<String> {
        guard !emails.isEmpty else { return [] }
        return Set(
            try await database.query("SELECT email FROM accounts WHERE email IN (\(list: emails))")
                .map { try $0.string("email") })
    }

    /// Whether a mailbox of that address is there, or deleted and not yet gone.
    public func exists(email: String) async throws -> Bool {
        try await !database.query("SELECT id FROM accounts WHERE email = \(email)").isEmpty
    }
}

extension AliasStore {
    /// Whether a domain has an alias of that source.
    public func exists(_ source: String, domainID: Int64) async throws -> Bool {
        try await !database.query("SELECT id FROM aliases WHERE domain_id = \(domainID) AND source = \(source)").isEmpty
    }
}
