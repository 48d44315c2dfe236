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
        routes.once(platform.idempotency).post("/api/v1/service-tokens", use: create)
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
        let grant = try ServiceTokenGrant(
            scopes: body.scopes, domains: body.domains, addresses: body.addresses)
        try grant.require(within: creator, expiresAt: expiresAt)
        let token = OpaqueToken(new: .service)
        let stored = try await tokens.create(
            name: try DisplayName(body.name).text, hash: token.hash, scopes: grant.scopes, limits: grant.limits,
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
}
