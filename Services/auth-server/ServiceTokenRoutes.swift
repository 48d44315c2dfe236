import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Tokens of the platform itself, and of who works for it.
struct ServiceTokenRoutes: Sendable {
    let platform: Platform
    let revoker: Revoker

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/service-tokens", use: list)
        routes.post("/api/v1/service-tokens", use: create)
        routes.get("/api/v1/service-tokens/{id}", use: find)
        routes.patch("/api/v1/service-tokens/{id}", use: rename)
        routes.delete("/api/v1/service-tokens/{id}", use: delete)
    }

    private var tokens: ServiceTokenStore { platform.database.serviceTokens }

    private struct Draft: Decodable {
        let name: String
        let scopes: [String]
        var domains: [String]?
        var addresses: [String]?
        var expires_at: String?
    }

    private struct Name: Decodable {
        let name: String
    }

    /// A new service token: the only time that it is shown.
    private struct NewServiceToken: Encodable {
        let id: Int64
        let name: String
        let scopes: [String]
        let domains: [String]?
        let addresses: [String]?
        let token: String
        let created_at: String
        let expires_at: String?
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("auth:tokens")
        return try .json(try await tokens.list(PageRequest(request)))
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("auth:tokens")
        return try .json(try await tokens.find(context.idParameter()))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let creator = try context.caller.requirePlatform("auth:tokens")
        let body: Draft = try await request.decode()
        let expiresAt = try body.expires_at.map { try Timestamp.future($0, field: "expires_at") }
        let limits = try Self.limits(body)
        try Self.check(body.scopes, limited: limits != nil, creator: creator)
        let token = OpaqueToken(new: .service)
        let stored = try await tokens.create(
            name: try DisplayName(body.name).text, hash: token.hash, scopes: body.scopes, limits: limits,
            expiresAt: expiresAt, by: .init(context))
        return try .json(
            NewServiceToken(
                id: stored.id, name: stored.name, scopes: stored.scopes, domains: stored.domains,
                addresses: stored.addresses, token: token.text, created_at: stored.createdAt,
                expires_at: stored.expiresAt),
            status: .created, headers: [.cacheControl: "no-store"])
    }

    @Sendable private func rename(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("auth:tokens")
        let id = try context.idParameter()
        let body: Name = try await request.decode()
        try await tokens.rename(id, to: try DisplayName(body.name).text, by: .init(context))
        return try .json(try await tokens.find(id))
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("auth:tokens")
        await revoker.announce(try await tokens.delete(context.idParameter(), by: .init(context)))
        return .noContent
    }

    // MARK: Rules

    /// - Throws: `Failure`: `invalid` for what is no scope or does not go with limits; `forbidden` for one that the
    ///   creator does not have: nobody hands out more than they have.
    private static func check(_ scopes: [String], limited: Bool, creator: Caller.Platform) throws {
        guard (1...20).contains(scopes.count) else {
            throw Failure.invalid("scopes", code: "out_of_range", "must be 1 to 20 scopes")
        }
        for (index, scope) in scopes.enumerated() {
            let known = ServiceScope(rawValue: scope)
            guard known != nil || scope == "*" else {
                let all = ServiceScope.allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure.invalid("scopes.\(index)", code: "invalid_scope", "must be * or one of \(all)")
            }
            guard !limited || known?.isForWholePlatform != true else {
                throw Failure.invalid(
                    "scopes.\(index)", code: "not_limitable", "reaches beyond the domains and addresses of this token")
            }
            guard creator.may(scope) else { throw Failure.forbidden("Your own token has no scope \(scope).") }
        }
    }

    private static func limits(_ body: Draft) throws -> Caller.Limits? {
        guard body.domains != nil || body.addresses != nil else { return nil }
        let domains = try (body.domains ?? []).enumerated().map {
            try DomainName($1, field: "domains.\($0)").description
        }
        let addresses = try (body.addresses ?? []).enumerated().map {
            try EmailAddress($1, field: "addresses.\($0)").description
        }
        guard (1...100).contains(domains.count + addresses.count) else {
            throw Failure.invalid("domains", code: "out_of_range", "must be, with addresses, 1 to 100 in all")
        }
        return Caller.Limits(domains: domains, addresses: addresses)
    }
}
