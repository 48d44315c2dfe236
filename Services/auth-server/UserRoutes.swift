import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// The people of the customers.
struct UserRoutes: Sendable {
    let platform: Platform
    let passwords: PasswordHash
    let revoker: Revoker

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/users", use: list)
        routes.once(platform.idempotency).post("/api/v1/users", use: create)
        routes.get("/api/v1/users/{id}", use: find)
        routes.put("/api/v1/users/{id}", use: changePassword)
        routes.patch("/api/v1/users/{id}", use: change)
        routes.delete("/api/v1/users/{id}", use: delete)
        routes.delete("/api/v1/users/{id}/totp", use: resetSecondFactor)
        routes.post("/api/v1/users/{id}/suspend") { try await setStatus(.suspended, $0, $1) }
        routes.post("/api/v1/users/{id}/unsuspend") { try await setStatus(.active, $0, $1) }
    }

    private var users: UserStore { platform.database.users }

    private struct NewUser: Decodable {
        var customer_id: Int64?
        let email: String
        let password: String
        let role: Role
        var accounts: [String]?
    }

    private struct Change: Decodable {
        var email: String?
        var role: Role?
        var accounts: [String]?
        var status: Account.Status?
    }

    private struct NewPassword: Decodable {
        let password: String
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        let query = try request.query()
        return try .json(
            try await users.list(
                PageRequest(request), customerID: query.int("customer_id").map(Int64.init), search: query["search"],
                scope: context.caller.scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        let body: NewUser = try await request.decode()
        let customerID = try context.caller.customer(named: body.customer_id)
        let email = try EmailAddress(body.email)
        try await checkDomain(of: email, context.caller)
        try PasswordRule.check(body.password)
        let accounts = try Self.addresses(body.accounts ?? [])
        let draft = UserStore.Draft(
            customerID: customerID, email: email, passwordHash: try await passwords.hash(body.password),
            role: body.role, accounts: accounts)
        return try .json(try await users.create(draft, by: .init(context)), status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:read")
        return try .json(try await users.find(context.idParameter(), scope: context.caller.scope))
    }

    /// What the old tokens say of the user is true no more, so they end.
    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        let body: Change = try await request.decode()
        let email = try body.email.map { try EmailAddress($0) }
        if let email { try await checkDomain(of: email, context.caller) }
        return try await change(
            .init(
                email: email, role: body.role,
                accounts: try body.accounts.map(Self.addresses), status: body.status),
            context)
    }

    @Sendable private func changePassword(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        _ = try await users.find(context.idParameter(), scope: context.caller.scope)
        let body: NewPassword = try await request.decode()
        try PasswordRule.check(body.password)
        return try await change(.init(passwordHash: try await passwords.hash(body.password)), context)
    }

    private func setStatus(
        _ status: Account.Status, _ request: Request, _ context: CallerContext
    ) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        return try await change(.init(status: status), context)
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        await revoker.announce([
            try await users.delete(context.idParameter(), scope: context.caller.scope, by: .init(context))
        ])
        return .noContent
    }

    /// For a user who has lost the authenticator app and the recovery codes.
    @Sendable private func resetSecondFactor(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("people:write")
        let user = try await users.find(context.idParameter(), scope: context.caller.scope)
        guard
            try await platform.database.secondFactors.reset(
                "user:\(user.id)", email: user.email, customerID: user.customerID, by: .init(context))
        else { throw Failure.notFound("The second factor") }
        return .noContent
    }

    private func change(_ change: UserStore.Change, _ context: CallerContext) async throws -> Response {
        let id = try context.idParameter()
        if let revocation = try await users.change(id, change, scope: context.caller.scope, by: .init(context)) {
            await revoker.announce([revocation])
        }
        return try .json(try await users.find(id, scope: .everything))
    }

    /// Addresses of users are one namespace, since people log in by address alone: no customer takes those of a domain
    /// that another has here.
    private func checkDomain(of email: EmailAddress, _ caller: Caller) async throws {
        guard case .person(let person) = caller,
            let owner = try await platform.database.domains.customer(of: email.domain), owner != person.customerID
        else { return }
        throw Failure.invalid("email", code: "not_yours", "must not be of a domain that another customer has here")
    }

    private static func addresses(_ texts: [String]) throws -> [EmailAddress] {
        guard texts.count <= 50 else { throw Failure.invalid("accounts", code: "too_many", "must be at most 50") }
        return try texts.enumerated().map { try EmailAddress($1, field: "accounts.\($0)") }
    }
}
