public import HTTPService
import Hummingbird
import MailModel
import Storage

/// Who changed what, when and from where: what the audit log holds, as far as the caller may see it. It can be read here,
/// and changed nowhere.
public struct AuditRoutes: Sendable {
    private let platform: Platform
    private let path: String

    /// - Parameter path: Where the service has it.
    public init(platform: Platform, path: String) {
        self.platform = platform
        self.path = path
    }

    public func add(to router: ServiceRouter) {
        router.authenticated(platform.authenticator).get(RouterPath(path), use: list)
    }

    /// The platform reads all of it, a customer's admin what concerns that customer.
    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("auth:audit")
        let query = try request.query()
        let filter = AuditStore.Filter(
            actor: query["actor"], action: query["action"], target: query["target"],
            customerID: try query.int("customer_id").map(Int64.init), since: try Self.time(query, "since"),
            until: try Self.time(query, "until"))
        return try .json(
            try await platform.database.audit.list(filter, PageRequest(request), scope: context.caller.scope))
    }

    private static func time(_ query: FormFields, _ name: String) throws -> Int64? {
        guard let text = query[name] else { return nil }
        guard let time = Timestamp.milliseconds(rfc3339: text) else {
            throw Failure.invalid(name, code: "invalid_time", "must be a time like 2027-01-01T00:00:00Z")
        }
        return time
    }
}
