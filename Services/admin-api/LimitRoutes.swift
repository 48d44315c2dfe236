import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// How much a customer may have, and has.
struct LimitRoutes: Sendable {
    let platform: Platform

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/mail/customers/{id}/limits", use: find)
        routes.put("/api/v1/mail/customers/{id}/limits", use: set)
    }

    private struct Answer: Encodable {
        let limits: CustomerLimits
        let used: CustomerLimits

        private enum Keys: String, CodingKey { case limits, used }
        private enum Names: String, CodingKey { case domains, accounts, quota_mb }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Keys.self)
            for (key, values) in [(Keys.limits, limits), (.used, used)] {
                var part = container.nestedContainer(keyedBy: Names.self, forKey: key)
                try part.encode(values.domains, forKey: .domains)
                try part.encode(values.accounts, forKey: .accounts)
                try part.encode(values.quotaMB, forKey: .quota_mb)
            }
        }
    }

    private struct Body: Decodable {
        var domains: Int?
        var accounts: Int?
        var quota_mb: Int?
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try await answer(context)
    }

    /// What is left out, or null, is no limit.
    @Sendable private func set(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requirePlatform("mail:write")
        let id = try context.idParameter()
        _ = try await platform.database.customers.find(id, scope: context.caller.scope)
        let body: Body = try await request.decode()
        for (field, value) in [("domains", body.domains), ("accounts", body.accounts), ("quota_mb", body.quota_mb)] {
            guard (0...1_000_000_000).contains(value ?? 0) else {
                throw Failure.invalid(field, code: "out_of_range", "must be from 0 to 1000000000")
            }
        }
        try await platform.database.limits.set(
            .init(domains: body.domains, accounts: body.accounts, quotaMB: body.quota_mb), customerID: id,
            by: .init(context))
        return try await answer(context)
    }

    private func answer(_ context: CallerContext) async throws -> Response {
        let found = try await platform.database.limits.find(
            customerID: context.idParameter(), scope: context.caller.scope)
        return try .json(Answer(limits: found.limits, used: found.used))
    }
}
