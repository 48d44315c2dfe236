import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Aliases and the catch-all of a domain.
struct AliasRoutes: Sendable {
    let platform: Platform

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        let quick = router.quick().authenticated(platform.authenticator)
        quick.get("/api/v1/mail/domains/{id}/aliases", use: list)
        routes.once(platform.idempotency).post("/api/v1/mail/domains/{id}/aliases", use: create)
        quick.get("/api/v1/mail/aliases/{id}", use: find)
        routes.put("/api/v1/mail/aliases/{id}", use: change)
        routes.delete("/api/v1/mail/aliases/{id}", use: delete)
    }

    private var aliases: AliasStore { platform.database.aliases }

    private struct NewAlias: Decodable {
        let source: String
        let destination: Destinations
        var send_as: Bool?
    }

    private struct Change: Decodable {
        let destination: Destinations
        var send_as: Bool?
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        let search = try request.query()["search"].flatMap { $0.isEmpty ? nil : $0 }
        return try .json(
            try await aliases.list(
                domainID: context.idParameter(), search: search, PageRequest(request), scope: context.caller.scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let domainID = try context.idParameter()
        let domain = try await platform.database.domains.reach(domainID, scope: context.caller.scope)
        let body: NewAlias = try await request.decode()
        let draft = AliasStore.Draft(
            source: try AliasRule.source(body.source, of: domain.name),
            destinations: try AliasRule.destinations(body.destination.addresses), sendAs: body.send_as ?? true)
        return try .json(
            try await aliases.create(domainID: domainID, draft, scope: context.caller.scope, by: .init(context)),
            status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try .json(try await aliases.find(context.idParameter(), scope: context.caller.scope))
    }

    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        _ = try await aliases.find(id, scope: context.caller.scope)
        let body: Change = try await request.decode()
        return try .json(
            try await aliases.update(
                id, destinations: try AliasRule.destinations(body.destination.addresses), sendAs: body.send_as,
                scope: context.caller.scope, by: .init(context)))
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        try await aliases.delete(context.idParameter(), scope: context.caller.scope, by: .init(context))
        return .noContent
    }
}

/// One address, or a list of them.
struct Destinations: Decodable {
    let addresses: [String]

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let one = try? value.decode(String.self) {
            addresses = [one]
        } else {
            addresses = try value.decode([String].self)
        }
    }
}

/// What an alias may be.
enum AliasRule {
    static func source(_ text: String, of domain: DomainName) throws -> String {
        if text == "*" { return text }
        // Postfix reads what stands behind a plus sign as an extension.
        guard !text.contains("*"), !text.contains("+"),
            let address = try? EmailAddress(localPart: text, domain: domain)
        else {
            throw Failure.invalid(
                "source", code: "invalid_local_part",
                "must be the part of an address before the @, without * and +, or * for the catch-all")
        }
        return address.localPart
    }

    /// - Returns: Each address once.
    static func destinations(_ addresses: [String]) throws -> [EmailAddress] {
        guard (1...100).contains(addresses.count) else {
            throw Failure.invalid("destination", code: "out_of_range", "must be 1 to 100 addresses")
        }
        var seen: Set<EmailAddress> = []
        return try addresses.map { try EmailAddress($0, field: "destination") }.filter { seen.insert($0).inserted }
    }
}
