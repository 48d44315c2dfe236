import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Mailboxes: made, changed, suspended.
struct AccountRoutes: Sendable {
    let platform: Platform
    let passwords: PasswordHash

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/mail/domains/{id}/accounts", use: list)
        routes.once(platform.idempotency).post("/api/v1/mail/domains/{id}/accounts", use: create)
        routes.get("/api/v1/mail/accounts/{id}", use: find)
        routes.put("/api/v1/mail/accounts/{id}", use: changePassword)
        routes.patch("/api/v1/mail/accounts/{id}", use: change)
        routes.post("/api/v1/mail/accounts/{id}/suspend") { try await setSuspended(true, $0, $1) }
        routes.post("/api/v1/mail/accounts/{id}/unsuspend") { try await setSuspended(false, $0, $1) }
    }

    private var accounts: AccountStore { platform.database.accounts }

    private struct NewAccount: Decodable {
        let local_part: String
        let password: String
        var quota_mb: Int?
        var display_name: String?
    }

    private struct NewPassword: Decodable {
        let password: String
    }

    private struct Change: Decodable {
        var quota_mb: Int?
        var display_name: String?
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try .json(
            try await accounts.list(
                domainID: context.idParameter(), PageRequest(request), scope: context.caller.scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let domainID = try context.idParameter()
        _ = try await platform.database.domains.find(domainID, scope: context.caller.scope)
        let body: NewAccount = try await request.decode()
        try PasswordRule.check(body.password)
        let quota = try Self.quota(body.quota_mb) ?? 1024
        let name = try Self.displayName(body.display_name) ?? ""
        let account = try await accounts.create(
            domainID: domainID, localPart: body.local_part, passwordHash: try await passwords.hash(body.password),
            quotaMB: quota, displayName: name, scope: context.caller.scope, by: .init(context))
        return try .json(account, status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try .json(try await accounts.find(context.idParameter(), scope: context.caller.scope))
    }

    /// Everything that the old password or its tokens opened ends.
    @Sendable private func changePassword(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:write")
        let id = try context.idParameter()
        _ = try await accounts.find(id, scope: context.caller.scope)
        let body: NewPassword = try await request.decode()
        try PasswordRule.check(body.password)
        let revocation = try await accounts.setPassword(
            id, hash: try await passwords.hash(body.password), scope: context.caller.scope, by: .init(context))
        await platform.announce([revocation])
        return try .json(try await accounts.find(id, scope: .everything))
    }

    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let body: Change = try await request.decode()
        return try .json(
            try await accounts.update(
                context.idParameter(), quotaMB: try Self.quota(body.quota_mb),
                displayName: try Self.displayName(body.display_name), scope: context.caller.scope, by: .init(context)))
    }

    private func setSuspended(_ suspended: Bool, _ request: Request, _ context: CallerContext) async throws -> Response
    {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        if let revocation = try await accounts.setSuspended(
            id, suspended, scope: context.caller.scope, by: .init(context))
        {
            await platform.announce([revocation])
        }
        return try .json(try await accounts.find(id, scope: .everything))
    }

    private static func quota(_ megabytes: Int?) throws -> Int? {
        guard let megabytes else { return nil }
        guard (1...1_048_576).contains(megabytes) else {
            throw Failure.invalid("quota_mb", code: "out_of_range", "must be from 1 to 1048576")
        }
        return megabytes
    }

    private static func displayName(_ name: String?) throws -> String? {
        guard let name else { return nil }
        guard name.unicodeScalars.count <= 200, !name.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw Failure.invalid("display_name", code: "invalid_name", "must be at most 200 characters, on one line")
        }
        return name
    }
}
