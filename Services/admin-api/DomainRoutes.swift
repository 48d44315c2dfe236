import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Domains: made with their DKIM keys and DNS records, listed, suspended, deleted and restored.
struct DomainRoutes: Sendable {
    let platform: Platform
    let hosting: Hosting
    /// How long a deleted one can be restored.
    let grace: Duration

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        let quick = router.quick().authenticated(platform.authenticator)
        quick.get("/api/v1/mail/domains", use: list)
        quick.once(platform.idempotency).post("/api/v1/mail/domains", use: create)
        quick.get("/api/v1/mail/domains/{id}", use: find)
        routes.patch("/api/v1/mail/domains/{id}", use: change)
        routes.delete("/api/v1/mail/domains/{id}", use: delete)
        routes.post("/api/v1/mail/domains/{id}/restore", use: restore)
        routes.post("/api/v1/mail/domains/{id}/suspend") { try await setSuspended(true, $0, $1) }
        routes.post("/api/v1/mail/domains/{id}/unsuspend") { try await setSuspended(false, $0, $1) }
    }

    private var domains: DomainStore { platform.database.domains }

    private enum DNSMode: String, Decodable { case automatic, manual }

    private struct NewDomain: Decodable {
        let domain: String
        var customer_id: Int64?
        var alias_of: Int64?
        var dns: DNSMode?
    }

    private struct Change: Decodable {
        var client_login: Domain.ClientLogin?
        var dns: DNSMode?
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        let query = try request.query()
        var filter = DomainStore.Filter()
        filter.customerID = try query.int("customer_id").map(Int64.init)
        filter.search = query["search"]
        filter.status = try query.choice("status")
        filter.dns = try query.choice("dns")
        filter.deleted = try query.bool("deleted") ?? false
        (filter.order, filter.isDescending) = try query.order(default: .domain)
        let page = try PageRequest(request)
        let found = try await domains.list(filter, page, scope: context.caller.scope)
        return try .json(
            Page(items: found.items.map(hosting.dns.outcomes.current), request: page, total: found.total))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let body: NewDomain = try await request.decode()
        var order = DomainMaker.Order(
            name: body.domain, customerID: try context.caller.customer(named: body.customer_id))
        order.aliasOf = body.alias_of
        order.hasManualDNS = body.dns == .manual
        if case .platform = context.caller { order.isOfPlatform = true }
        let made = try await hosting.maker.make(order, by: .init(context))
        return try .json(DomainWithRecords(domain: made.domain, records: made.records), status: .created)
    }

    @Sendable private func find(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        let domain = try await domains.find(context.idParameter(), scope: context.caller.scope)
        return try .json(hosting.dns.outcomes.current(domain))
    }

    @Sendable private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        _ = try await domains.find(id, scope: context.caller.scope)
        let body: Change = try await request.decode()
        guard body.dns != .automatic || hosting.dns.publisher != nil else {
            throw Failure.invalid("dns", code: "not_configured", "must be manual: this platform writes no DNS")
        }
        return try .json(
            try await domains.update(
                id, clientLogin: body.client_login, hasManualDNS: body.dns.map { $0 == .manual },
                scope: context.caller.scope, by: .init(context)))
    }

    /// Shut at once; gone after the grace time, or now with `purge=true`.
    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter(), scope = context.caller.scope
        let isFinal = try request.query().bool("purge") ?? false
        do {
            let purgeAt = Timestamp.now() + grace.components.seconds * 1000
            await platform.announce(
                try await domains.delete(id, purgeAt: purgeAt, scope: scope, by: .init(context)))
        } catch let failure as Failure where failure.kind == .notFound && isFinal {
            // What is deleted already can still be made to go.
        }
        guard isFinal else { return .noContent }
        guard let purge = try await domains.purge(id, scope: scope, by: .init(context)) else {
            return Response(status: .accepted)
        }
        // What does not work at once is done by itself as soon as it can be.
        let isGone = (try? await hosting.caretaker.end(purge)) ?? false
        return isGone ? .noContent : Response(status: .accepted)
    }

    @Sendable private func restore(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        try await domains.restore(id, scope: context.caller.scope, by: .init(context))
        return try .json(try await domains.find(id, scope: context.caller.scope))
    }

    private func setSuspended(_ suspended: Bool, _ request: Request, _ context: CallerContext) async throws -> Response
    {
        try context.caller.requireAdmin("mail:write")
        let id = try context.idParameter()
        await platform.announce(
            try await domains.setSuspended(id, suspended, scope: context.caller.scope, by: .init(context)))
        return try .json(try await domains.find(id, scope: context.caller.scope))
    }
}

/// A domain with the records it wants.
struct DomainWithRecords: Encodable {
    let domain: Domain
    let records: [DNSRecord]

    private enum Keys: CodingKey { case records }

    func encode(to encoder: any Encoder) throws {
        try domain.encode(to: encoder)
        var container = encoder.container(keyedBy: Keys.self)
        try container.encode(records, forKey: .records)
    }
}
