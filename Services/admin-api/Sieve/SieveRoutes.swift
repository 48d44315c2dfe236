import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// What happens to the mail of a mailbox on arrival: its owner's own matter, and that of its admins.
struct SieveRoutes: Sendable {
    let platform: Platform
    let scripts: SieveScripts

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/mail/accounts/{id}/forwarding") { try await read($0, $1) { $0.forwarding } }
        routes.put("/api/v1/mail/accounts/{id}/forwarding", use: setForwarding)
        routes.get("/api/v1/mail/accounts/{id}/autoreply") { try await read($0, $1) { $0.autoreply } }
        routes.put("/api/v1/mail/accounts/{id}/autoreply", use: setAutoreply)
        routes.get("/api/v1/mail/accounts/{id}/filters") { try await read($0, $1) { Filters(filters: $0.filters) } }
        routes.put("/api/v1/mail/accounts/{id}/filters", use: setFilters)
    }

    private struct Filters: Codable {
        let filters: [SieveRules.Filter]
    }

    private func read(
        _ request: Request, _ context: CallerContext, _ part: @Sendable (SieveRules) -> some Encodable
    ) async throws -> Response {
        try context.caller.require("mail:read")
        let account = try await platform.database.accounts.find(context.idParameter(), scope: context.caller.scope)
        return try .json(part(try await scripts.rules(of: account.email)))
    }

    @Sendable private func setForwarding(_ request: Request, _ context: CallerContext) async throws -> Response {
        let account = try await account(context)
        let body: SieveRules.Forwarding = try await request.decode()
        let wanted = try body.checked(own: account.email)
        let rules = try await scripts.change(account.email) { $0.forwarding = wanted }
        func detail(_ forwarding: SieveRules.Forwarding) -> [String: String] {
            ["destinations": forwarding.destinations.joined(separator: " "), "enabled": "\(forwarding.enabled)"]
        }
        await record(
            "account.forwarding_changed", account, detail(rules.before.forwarding), detail(rules.after.forwarding),
            context)
        return try .json(rules.after.forwarding)
    }

    @Sendable private func setAutoreply(_ request: Request, _ context: CallerContext) async throws -> Response {
        let account = try await account(context)
        let body: SieveRules.Autoreply = try await request.decode()
        let wanted = try body.checked()
        let rules = try await scripts.change(account.email) { $0.autoreply = wanted }
        await record(
            "account.autoreply_changed", account, ["enabled": "\(rules.before.autoreply.enabled)"],
            ["enabled": "\(rules.after.autoreply.enabled)"], context)
        return try .json(rules.after.autoreply)
    }

    @Sendable private func setFilters(_ request: Request, _ context: CallerContext) async throws -> Response {
        let account = try await account(context)
        let body: Filters = try await request.decode()
        guard body.filters.count <= 100 else {
            throw Failure.invalid("filters", code: "too_many", "must be at most 100")
        }
        for (index, filter) in body.filters.enumerated() { try filter.check("filters.\(index)") }
        let rules = try await scripts.change(account.email) { $0.filters = body.filters }
        await record(
            "account.filters_changed", account, ["filters": "\(rules.before.filters.count)"],
            ["filters": "\(rules.after.filters.count)"], context)
        return try .json(Filters(filters: rules.after.filters))
    }

    private func account(_ context: CallerContext) async throws -> Account {
        try context.caller.require("mail:write")
        return try await platform.database.accounts.find(context.idParameter(), scope: context.caller.scope)
    }

    private func record(
        _ action: String, _ account: Account, _ before: [String: String], _ after: [String: String],
        _ context: CallerContext
    ) async {
        let fields = before.map { ("before.\($0)", $1) } + after.map { ("after.\($0)", $1) }
        let detail = Dictionary(uniqueKeysWithValues: fields)
        let domain = try? await platform.database.domains.reach(account.domainID, scope: .everything)
        await platform.audit.record(
            action, target: account.email, customerID: domain?.customerID, detail: detail, by: context)
    }
}
