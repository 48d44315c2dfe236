import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// The hoster's customers.
struct CustomerRoutes: Sendable {
    let platform: Platform
    let revoker: Revoker

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/customers", use: list)
        routes.once(platform.idempotency).post("/api/v1/customers", use: create)
        routes.get("/api/v1/customers/{id}", use: find)
        routes.patch("/api/v1/customers/{id}", use: change)
        routes.delete("/api/v1/customers/{id}", use: delete)
        routes.post("/api/v1/customers/{id}/suspend") { try await setSuspended(true, $0, $1) }
        routes.post("/api/v1/customers/{id}/unsuspend") { try await setSuspended(false, $0, $1) }
    }

    private var customers: CustomerStore { platform.database.customers }

    private struct Body: Decodable {
        let name: String
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(
            try await customers.list(
                PageRequest(request), search: request.query()["search"], scope: context.caller.scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("people:write")
        let body: Body = try await request.decode()
        return try .json(
            try await customers.create(name: try DisplayName(body.name).text, by: .init(context)), status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(try await customers.find(context.idParameter(), scope: context.caller.scope))
    }

    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try manageable(context)
        let body: Body = try await request.decode()
        try await customers.rename(id, to: try DisplayName(body.name).text, by: .init(context))
        return try .json(try await customers.find(id, scope: .everything))
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try await customers.delete(manageable(context), by: .init(context))
        return .noContent
    }

    private func setSuspended(_ suspended: Bool, _ request: Request, _ context: CallerContext) async throws -> Response
    {
        let id = try manageable(context)
        await revoker.announce(try await customers.setSuspended(id, suspended, by: .init(context)))
        return try .json(try await customers.find(id, scope: .everything))
    }

    private func manageable(_ context: CallerContext) throws -> Int64 {
        try context.caller.requirePlatform("people:write")
        return try context.idParameter()
    }
}
