import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Reading the audit log; nothing changes it.
struct AuditRoutes: Sendable {
    let platform: Platform

    func add(to router: ServiceRouter) {
        router.authenticated(platform.authenticator).get("/api/v1/mail/audit", use: list)
    }

    /// The platform reads all of it, a customer's admin what concerns that customer.
    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("auth:audit")
        let query = try request.query()
        let filter = AuditStore.Filter(
            actor: query["actor"], action: query["action"], target: query["target"],
            customerID: try query.int("customer_id").map(Int64.init), since: try time(query, "since"),
            until: try time(query, "until"))
        return try .json(
            try await platform.database.audit.list(filter, PageRequest(request), scope: context.caller.scope))
    }

    private func time(_ query: FormFields, _ name: String) throws -> Int64? {
        guard let text = query[name] else { return nil }
        guard let time = Timestamp.milliseconds(rfc3339: text) else {
            throw Failure.invalid(name, code: "invalid_time", "must be a time like 2027-01-01T00:00:00Z")
        }
        return time
    }
}
