import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Aliases and the catch-all of a domain.
struct AliasRoutes: Sendable {
    let platform: Platform

    func add(to router: ServiceRouter) {
        let routes = router.authenticated(platform.authenticator)
        routes.get("/api/v1/mail/domains/{id}/aliases", use: list)
        routes.once(platform.idempotency).post("/api/v1/mail/domains/{id}/aliases", use: create)
    }

    private var aliases: AliasStore { platform.database.aliases }

    private struct Body: Decodable {
        let source: String
        let destination: Destinations
    }

    /// One address, or a list of them.
    private struct Destinations: Decodable {
        let addresses: [String]

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let one = try? value.decode(String.self) {
                addresses = [one]
            } else {
                addresses = try value.decode([String].self)
            }
        }
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:read")
        return try .json(
            try await aliases.list(domainID: context.idParameter(), PageRequest(request), scope: context.caller.scope))
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("mail:write")
        let domainID = try context.idParameter()
        let domain = try await platform.database.domains.find(domainID, scope: context.caller.scope)
        let body: Body = try await request.decode()
        guard (1...100).contains(body.destination.addresses.count) else {
            throw Failure.invalid("destination", code: "out_of_range", "must be 1 to 100 addresses")
        }
        let destination = try body.destination.addresses.map { try EmailAddress($0, field: "destination") }
        let source = try source(body.source, of: try DomainName(domain.domain))
        return try .json(
            try await aliases.create(
                domainID: domainID, source: source, destination: destination, scope: context.caller.scope,
                by: .init(context)),
            status: .created)
    }

    private func source(_ text: String, of domain: DomainName) throws -> String {
        if text == "*" { return text }
        do { return try EmailAddress(localPart: text, domain: domain).localPart } catch {
            throw Failure.invalid(
                "source", code: "invalid_local_part",
                "must be the part of an address before the @, or * for the catch-all")
        }
    }
}
