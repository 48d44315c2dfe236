import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Customers, users and service tokens.
struct PeopleRoutes: Sendable {
    let platform: Platform
    let passwords: PasswordHash

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/customers", use: listCustomers)
        routes.post("/api/v1/customers", use: createCustomer)
        routes.get("/api/v1/customers/{id}", use: customer)
        routes.get("/api/v1/users", use: listUsers)
        routes.post("/api/v1/users", use: createUser)
        routes.get("/api/v1/users/{id}", use: user)
        routes.get("/api/v1/service-tokens", use: listServiceTokens)
        routes.post("/api/v1/service-tokens", use: createServiceToken)
        routes.delete("/api/v1/service-tokens/{id}", use: deleteServiceToken)
    }

    private var database: Database { platform.database }

    // MARK: Customers

    private struct CustomerBody: Decodable {
        let name: String
    }

    @Sendable private func listCustomers(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(try await database.customers.list(PageRequest(request), scope: context.caller.scope))
    }

    @Sendable private func createCustomer(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("people:write")
        let body: CustomerBody = try await request.decode()
        return try .json(try await database.customers.create(name: try DisplayName(body.name).text), status: .created)
    }

    @Sendable private func customer(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(try await database.customers.find(context.idParameter(), scope: context.caller.scope))
    }

    // MARK: Users

    private struct UserBody: Decodable {
        var customer_id: Int64?
        let email: String
        let password: String
        let role: Role
        var accounts: [String]?
    }

    @Sendable private func listUsers(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(try await database.users.list(PageRequest(request), scope: context.caller.scope))
    }

    @Sendable private func createUser(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        let body: UserBody = try await request.decode()
        let customerID = try context.caller.customer(named: body.customer_id)
        let email = try EmailAddress(body.email)
        try PasswordRule.check(body.password)
        let accounts = body.accounts ?? []
        guard accounts.count <= 50 else { throw Failure.invalid("accounts", code: "too_many", "must be at most 50") }
        let draft = UserStore.Draft(
            customerID: customerID, email: email, passwordHash: try await passwords.hash(body.password),
            role: body.role, accounts: try accounts.enumerated().map { try EmailAddress($1, field: "accounts.\($0)") })
        return try .json(try await database.users.create(draft), status: .created)
    }

    @Sendable private func user(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(try await database.users.find(context.idParameter(), scope: context.caller.scope))
    }

    // MARK: Service tokens

    private struct ServiceTokenBody: Decodable {
        let name: String
        let scopes: [String]
        var expires_at: String?
    }

    /// A new service token: the only time that it is shown.
    private struct NewServiceToken: Encodable {
        let id: Int64
        let name: String
        let scopes: [String]
        let token: String
        let created_at: String
        let expires_at: String?
    }

    @Sendable private func listServiceTokens(
        _ request: Request, _ context: CallerContext
    ) async throws -> Response {
        try context.caller.requirePlatform("auth:tokens")
        return try .json(try await database.serviceTokens.list(PageRequest(request)))
    }

    @Sendable private func createServiceToken(_ request: Request, _ context: CallerContext) async throws -> Response {
        let creator = try context.caller.requirePlatform("auth:tokens")
        let body: ServiceTokenBody = try await request.decode()
        let expiresAt = try body.expires_at.map { try Timestamp.future($0, field: "expires_at") }
        for (index, scope) in body.scopes.enumerated() {
            guard Self.isScope(scope) else {
                throw Failure.invalid("scopes.\(index)", code: "invalid_scope", "must be a word like mail:read, or *")
            }
            // Nobody hands out more than they have.
            guard creator.may(scope) else { throw Failure.forbidden("Your own token has no scope \(scope).") }
        }
        guard (1...20).contains(body.scopes.count) else {
            throw Failure.invalid("scopes", code: "out_of_range", "must be 1 to 20 scopes")
        }
        let token = OpaqueToken(new: .service)
        let stored = try await database.serviceTokens.create(
            name: try DisplayName(body.name).text, hash: token.hash, scopes: body.scopes, expiresAt: expiresAt)
        return try .json(
            NewServiceToken(
                id: stored.id, name: stored.name, scopes: stored.scopes, token: token.text,
                created_at: stored.createdAt, expires_at: stored.expiresAt),
            status: .created, headers: [.cacheControl: "no-store"])
    }

    @Sendable private func deleteServiceToken(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("auth:tokens")
        try await database.serviceTokens.delete(context.idParameter())
        return .noContent
    }

    // MARK: Rules

    private static func isScope(_ text: String) -> Bool {
        text == "*"
            || (1...50).contains(text.utf8.count)
                && text.utf8.allSatisfy {
                    (0x61...0x7a).contains($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "-")
                }
    }
}
