import HTTPService
import MailModel
import Storage

/// Writes out what there is, some at a time, in the shape that an import reads.
struct Exporter: Sendable {
    let database: Database
    let scope: Scope
    let domainID: Int64?
    let customerID: Int64?

    private static let batch = 500

    /// - Throws: `Failure.notFound` for a domain outside the scope.
    func check() async throws {
        if let domainID { _ = try await database.domains.find(domainID, scope: scope) }
    }

    func csv(_ write: (String) async throws -> Void) async throws {
        try await write(CSV.line(["id"] + ImportRow.columns + ["status"]))
        try await accounts { account in
            let limit = account.sendLimit.map(String.init) ?? ""
            try await write(
                CSV.line([
                    "\(account.id)", account.email, "", "", "\(account.quotaMB)", account.displayName, limit, "", "",
                    account.status.rawValue,
                ]))
        }
        try await aliases { alias, domain in
            try await write(
                CSV.line([
                    "\(alias.id)", "\(alias.source)@\(domain)", "", "", "", "", "",
                    alias.destination.joined(separator: " "), "\(alias.sendAs)", "",
                ]))
        }
    }

    func json(_ write: (String) async throws -> Void) async throws {
        struct Line: Encodable {
            let source: String
            let destination: [String]
            let send_as: Bool
        }
        try await write("{\"accounts\":[")
        var separator = "\n"
        try await accounts { account in
            try await write(separator + String(decoding: try JSONResponses.bytes(account), as: UTF8.self))
            separator = ",\n"
        }
        try await write("],\n\"aliases\":[")
        separator = "\n"
        try await aliases { alias, domain in
            let line = Line(
                source: "\(alias.source)@\(domain)", destination: alias.destination, send_as: alias.sendAs)
            try await write(separator + String(decoding: try JSONResponses.bytes(line), as: UTF8.self))
            separator = ",\n"
        }
        try await write("]}\n")
    }

    private func accounts(_ each: (Account) async throws -> Void) async throws {
        var filter = AccountStore.Filter()
        filter.domainID = domainID
        filter.customerID = customerID
        var last: Int64 = 0
        while true {
            let batch = try await database.accounts.batch(filter, after: last, limit: Self.batch, scope: scope)
            for account in batch { try await each(account) }
            guard batch.count == Self.batch, let end = batch.last?.id else { return }
            last = end
        }
    }

    private func aliases(_ each: (Alias, String) async throws -> Void) async throws {
        if let domainID { return try await aliases(of: try await database.domains.find(domainID, scope: scope), each) }
        var filter = DomainStore.Filter()
        filter.customerID = customerID
        var page = 1
        while true {
            let domains = try await database.domains.list(filter, PageRequest(page: page, perPage: 200), scope: scope)
            for domain in domains.items { try await aliases(of: domain, each) }
            guard domains.items.count == 200 else { return }
            page += 1
        }
    }

    private func aliases(of domain: Domain, _ each: (Alias, String) async throws -> Void) async throws {
        var last: Int64 = 0
        while true {
            let batch = try await database.aliases.batch(
                domainID: domain.id, after: last, limit: Self.batch, scope: scope)
            for alias in batch { try await each(alias, domain.domain) }
            guard batch.count == Self.batch, let end = batch.last?.id else { return }
            last = end
        }
    }
}
