import DNS
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// A domain's records and DKIM keys: what is wanted, what the world answers, written again, rotated.
struct DNSRoutes: Sendable {
    let platform: Platform
    let hosting: Hosting

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/mail/domains/{id}/dns", use: compare)
        routes.post("/api/v1/mail/domains/{id}/dns/sync", use: sync)
        routes.get("/api/v1/mail/domains/{id}/dkim", use: keys)
        routes.once(platform.idempotency).post("/api/v1/mail/domains/{id}/dkim/rotate", use: rotate)
    }

    private var domains: DomainStore { platform.database.domains }

    private struct Key: Encodable {
        let selector: String
        let algorithm: DKIMKey.Algorithm
        let state: DKIMKey.State
        let created_at: String
    }

    private struct Keys: Encodable { let keys: [Key] }

    @Sendable private func compare(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        let domain = try await domains.find(context.idParameter(), scope: context.caller.scope)
        return try .json(try await report(domain))
    }

    /// Writes the records once more, and tells what the world answers then.
    @Sendable private func sync(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        let domain = try await domains.find(id, scope: context.caller.scope)
        var isOfPlatform = false
        if case .platform = context.caller { isOfPlatform = true }
        try await domains.requireDNS(id, takesZones: isOfPlatform)
        try await hosting.dns.provision(domains.provisioning(id))
        await platform.audit.record(
            "domain.dns_synced", target: domain.domain, customerID: domain.customerID, by: context)
        return try .json(try await report(domains.find(id, scope: context.caller.scope)))
    }

    @Sendable private func keys(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try .json(try await keys(context.idParameter(), context))
    }

    /// 202: the new keys sign as soon as the DNS shows them.
    @Sendable private func rotate(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        try await hosting.rotation.begin(id, scope: context.caller.scope, by: .init(context))
        return try .json(try await keys(id, context), status: .accepted)
    }

    private func keys(_ id: Int64, _ context: CallerContext) async throws -> Keys {
        let keys = try await platform.database.dkimKeys.list(domainID: id, scope: context.caller.scope)
        return Keys(
            keys: keys.map { key in
                Key(
                    selector: key.selector, algorithm: key.algorithm, state: key.state,
                    created_at: Timestamp.rfc3339(milliseconds: key.createdAt))
            })
    }

    private func report(_ domain: Domain) async throws -> DNSReport {
        let provisioning = try await domains.provisioning(domain.id)
        return await DNSReport(
            of: hosting.dns.outcomes.current(domain), records: hosting.dns.records(of: provisioning),
            resolver: hosting.resolver)
    }
}
