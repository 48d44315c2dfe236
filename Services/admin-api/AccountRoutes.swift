import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Mailboxes: made, changed, renamed, suspended, deleted and restored.
struct AccountRoutes: Sendable {
    let platform: Platform
    let passwords: PasswordHash
    let caretaker: Caretaker
    /// How long a deleted one can be restored.
    let grace: Duration

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        let quick = router.quick().authenticated(platform.authenticator)
        quick.get("/api/v1/mail/accounts", use: listAll)
        quick.get("/api/v1/mail/domains/{id}/accounts", use: list)
        routes.once(platform.idempotency).post("/api/v1/mail/domains/{id}/accounts", use: create)
        quick.get("/api/v1/mail/accounts/{id}", use: find)
        routes.put("/api/v1/mail/accounts/{id}", use: changePassword)
        routes.patch("/api/v1/mail/accounts/{id}", use: change)
        routes.delete("/api/v1/mail/accounts/{id}", use: delete)
        routes.post("/api/v1/mail/accounts/{id}/restore", use: restore)
        routes.post("/api/v1/mail/accounts/{id}/suspend") { try await setSuspended(true, $0, $1) }
        routes.post("/api/v1/mail/accounts/{id}/unsuspend") { try await setSuspended(false, $0, $1) }
        quick.get("/api/v1/mail/accounts/{id}/send-as", use: sendAs)
        routes.put("/api/v1/mail/accounts/{id}/send-as", use: setSendAs)
    }

    private var accounts: AccountStore { platform.database.accounts }

    private struct NewPassword: Decodable {
        let password: String
    }

    private struct SendAs: Codable {
        let addresses: [String]
    }

    // MARK: lists

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try await list(request, context, domainID: context.idParameter())
    }

    /// Over all domains within the caller's reach.
    @Sendable private func listAll(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try await list(request, context, domainID: nil)
    }

    private func list(_ request: Request, _ context: CallerContext, domainID: Int64?) async throws -> Response {
        let query = try request.query()
        var filter = AccountStore.Filter()
        filter.domainID = domainID
        filter.customerID = try query.int("customer_id").map(Int64.init)
        filter.search = query["search"].flatMap { $0.isEmpty ? nil : $0 }
        filter.status = try query.choice("status")
        filter.deleted = try query.bool("deleted") ?? false
        (filter.order, filter.isDescending) = try query.order(default: .email)
        let page = try await accounts.list(filter, PageRequest(request), scope: context.caller.scope)
        return .json(bytes: page.json())
    }

    // MARK: one

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let domainID = try context.idParameter()
        let domain = try await platform.database.domains.reach(domainID, scope: context.caller.scope)
        let body: NewAccount = try await request.decode()
        // What is wrong with it is told before a hash is computed for nothing.
        _ = try AccountStore.address(body.local_part, of: domain.name)
        try PasswordRule.check(body.password)
        let draft = try body.draft(passwordHash: try await passwords.hash(body.password))
        return try .json(
            try await accounts.create(domainID: domainID, draft, scope: context.caller.scope, by: .init(context)),
            status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try .json(try await accounts.find(context.idParameter(), scope: context.caller.scope))
    }

    /// Everything that the old password or its tokens opened ends.
    @Sendable private func changePassword(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:write")
        let id = try context.idParameter(), scope = context.caller.scope
        _ = try await accounts.find(id, scope: scope)
        let body: NewPassword = try await request.decode()
        try PasswordRule.check(body.password)
        let revocation = try await accounts.setPassword(
            id, hash: try await passwords.hash(body.password), scope: scope, by: .init(context))
        await platform.announce([revocation])
        return try .json(try await accounts.find(id, scope: scope))
    }

    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        _ = try await accounts.find(id, scope: context.caller.scope)
        let body: AccountChange = try await request.decode()
        let revocation = try await accounts.update(
            id, try body.checked(), scope: context.caller.scope, by: .init(context))
        if let revocation {
            await platform.announce([revocation])
            // A mail that was just being delivered comes to its end. What this call does not finish, the caretaker does.
            try? await Task.sleep(for: .milliseconds(200))
            try? await caretaker.finishMoves()
        }
        return try .json(try await accounts.find(id, scope: .everything))
    }

    /// Shut at once; gone after the grace time, or now with `purge=true`.
    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter(), scope = context.caller.scope
        let isFinal = try request.query().bool("purge") ?? false
        do {
            let purgeAt = Timestamp.now() + grace.components.seconds * 1000
            await platform.announce([
                try await accounts.delete(id, purgeAt: purgeAt, scope: scope, by: .init(context))
            ])
        } catch let failure as Failure where failure.kind == .notFound && isFinal {
            // What is deleted already can still be made to go.
        }
        guard isFinal else { return .noContent }
        if let purge = try await accounts.purge(id, scope: scope, by: .init(context)) {
            try? await caretaker.end(purge)
        }
        return .noContent
    }

    @Sendable private func restore(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        return try .json(
            try await accounts.restore(context.idParameter(), scope: context.caller.scope, by: .init(context)))
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
        return try .json(try await accounts.find(id, scope: context.caller.scope))
    }

    // MARK: sending as others

    @Sendable private func sendAs(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.require("mail:read")
        return try .json(
            SendAs(addresses: try await accounts.sendAs(context.idParameter(), scope: context.caller.scope)))
    }

    @Sendable private func setSendAs(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        _ = try await accounts.find(id, scope: context.caller.scope)
        let body: SendAs = try await request.decode()
        guard body.addresses.count <= 100 else {
            throw Failure.invalid("addresses", code: "too_many", "must be at most 100")
        }
        let addresses = try body.addresses.enumerated().map { try EmailAddress($1, field: "addresses.\($0)") }
        try await accounts.setSendAs(id, addresses, scope: context.caller.scope, by: .init(context))
        return try await sendAs(request, context)
    }
}
