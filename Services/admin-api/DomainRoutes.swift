import HTTPService
import Hummingbird
import MailModel
import NIOPosix
import Platform
import Storage

/// Domains: made with their DKIM key and DNS records, listed, suspended.
struct DomainRoutes: Sendable {
    let platform: Platform
    let dkim: DKIMKeys
    let dns: DNSProvisioning

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/mail/domains", use: list)
        routes.once(platform.idempotency).post("/api/v1/mail/domains", use: create)
        routes.get("/api/v1/mail/domains/{id}", use: find)
        routes.post("/api/v1/mail/domains/{id}/suspend") { try await setSuspended(true, $0, $1) }
        routes.post("/api/v1/mail/domains/{id}/unsuspend") { try await setSuspended(false, $0, $1) }
    }

    private var domains: DomainStore { platform.database.domains }

    private struct Body: Decodable {
        let domain: String
        var customer_id: Int64?
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        let query = try request.query()
        return try .json(
            try await domains.list(
                PageRequest(request), customerID: query.int("customer_id").map(Int64.init), search: query["search"],
                scope: context.caller.scope))
    }

    /// The key first, then the domain, then its DNS: whatever is cut short can be done again.
    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let body: Body = try await request.decode()
        let name = try DomainName(body.domain)
        let customerID = try context.caller.customer(named: body.customer_id)
        // Making a key takes a processor for a while: not one of those that answer everybody else.
        let publicKey = try await NIOThreadPool.singleton.runIfActive { try dkim.publicKey(for: name) }
        let domain = try await domains.create(
            name, customerID: customerID, dkimSelector: dkim.selector, dkimPublicKey: publicKey, by: .init(context))
        let provisioning = try await domains.provisioning(domain.id)
        _ = try await dns.provision(provisioning)
        let stored = try await domains.find(domain.id, scope: .everything)
        return try .json(NewDomain(domain: stored, records: dns.records(of: provisioning)), status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try .json(try await domains.find(context.idParameter(), scope: context.caller.scope))
    }

    private func setSuspended(_ suspended: Bool, _ request: Request, _ context: CallerContext) async throws -> Response
    {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        await platform.announce(
            try await domains.setSuspended(id, suspended, scope: context.caller.scope, by: .init(context)))
        return try .json(try await domains.find(id, scope: .everything))
    }
}

/// A domain just made, with the records it wants.
private struct NewDomain: Encodable {
    let domain: Domain
    let records: [DNSRecord]

    private enum Keys: CodingKey { case records }

    func encode(to encoder: any Encoder) throws {
        try domain.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(records, forKey: .records)
    }
}
