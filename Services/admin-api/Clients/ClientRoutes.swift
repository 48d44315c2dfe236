import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import NIOCore
import Storage

/// The files that mail programs and mail servers ask for: anyone may, for every domain hosted here.
///
/// Which domain is meant says the address in the request, else the host it was sent to (`autoconfig.example.com`).
struct ClientRoutes: Sendable {
    let domains: DomainStore
    let settings: ClientSettings
    let mtaSTS: MTASTSPolicy?

    func add(to router: ServiceRouter) {
        router.get("/mail/config-v1.1.xml", use: autoconfig)
        router.get("/.well-known/autoconfig/mail/config-v1.1.xml", use: autoconfig)
        for path in ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"] {
            router.post(RouterPath(path), use: autodiscover)
        }
        for path in ["/autodiscover/autodiscover.json", "/Autodiscover/Autodiscover.json"] {
            router.get(RouterPath(path), use: autodiscoverJSON)
            router.get(RouterPath(path + "/v1.0/{email}"), use: autodiscoverJSON)
        }
        router.get("/apple.mobileconfig", use: mobileconfig)
        router.get("/.well-known/mta-sts.txt", use: policy)
        router.get("/.well-known/user-agent-configuration.json", use: userAgentConfiguration)
    }

    @Sendable private func autoconfig(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let client = try await client(request, address: request.query()["emailaddress"])
        return Self.file(client.autoconfig, "text/xml; charset=utf-8")
    }

    @Sendable private func autodiscover(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let body = try await request.bodyBytes(upTo: 65_536)
        guard let asked = AutodiscoverRequest(parsing: Array(body.readableBytesView)) else {
            return Self.file(AutodiscoverRequest.invalid, "text/xml; charset=utf-8")
        }
        guard asked.acceptsOutlook else {
            return Self.file(AutodiscoverRequest.unknownSchema, "text/xml; charset=utf-8")
        }
        let client = try await client(request, address: asked.address)
        return Self.file(client.autodiscover, "text/xml; charset=utf-8")
    }

    /// Outlook asks here where to ask (Autodiscover v2): for what we do not speak there is nothing.
    @Sendable private func autodiscoverJSON(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let query = try request.query()
        let address = context.parameters.get("email") == nil ? query["Email"] : try context.pathParameter("email")
        let client = try await client(request, address: address)
        guard let asked = query["Protocol"] else { throw Self.jsonFault("Protocol", "MandatoryParameterMissing") }
        guard asked.lowercased() == "autodiscoverv1" else { throw Self.jsonFault("Protocol", "ProtocolNotSupported") }
        return try .json([
            "Protocol": "AutodiscoverV1",
            "Url": "https://autodiscover.\(client.domain)/autodiscover/autodiscover.xml",
        ])
    }

    @Sendable private func mobileconfig(_ request: Request, _ context: ServiceContext) async throws -> Response {
        guard let text = try request.query()["email"] else {
            throw Failure.invalid("email", code: "required", "must be the address of the mailbox")
        }
        let client = try await client(request, address: text)
        guard let address = client.address else {
            throw Failure.invalid("email", code: "invalid_address", "must be an address like name@example.com")
        }
        var response = Self.file(client.mobileconfig(address), "application/x-apple-aspen-config; charset=utf-8")
        response.headers[.contentDisposition] = "attachment; filename=\"\(client.domain).mobileconfig\""
        return response
    }

    @Sendable private func policy(_ request: Request, _ context: ServiceContext) async throws -> Response {
        guard let mtaSTS else { throw Failure.notFound("An MTA-STS policy") }
        _ = try await client(request, address: nil)
        return Self.file(mtaSTS.text, "text/plain; charset=utf-8")
    }

    @Sendable private func userAgentConfiguration(
        _ request: Request, _ context: ServiceContext
    ) async throws -> Response {
        _ = try await client(request, address: request.query()["emailaddress"])
        // These very bytes: programs compare their digest with the domain's record.
        return Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-cache"],
            body: .init(byteBuffer: ByteBuffer(bytes: settings.userAgentConfiguration)))
    }

    // MARK: which domain

    /// - Throws: `Failure.notFound` for a domain that is not hosted here.
    private func client(_ request: Request, address text: String?) async throws -> ClientConfiguration {
        var address: EmailAddress?, name: DomainName?
        if let text, !text.isEmpty {
            // Some programs send the domain alone, or %EMAILADDRESS% as it is.
            address = try? EmailAddress(text)
            name = address?.domain ?? (try? DomainName(text))
        }
        if name == nil { name = Self.host(request) }
        guard let name, let login = try await domains.clientLogin(of: name) else {
            throw Failure.notFound("Mail for this domain")
        }
        return ClientConfiguration(
            domain: name.description, address: address, isOAuthFirst: login == .oauth2, settings: settings)
    }

    /// The domain that a host of ours stands for: without the label that brought the request here.
    private static func host(_ request: Request) -> DomainName? {
        guard let authority = request.head.authority else { return nil }
        let host = authority.lowercased().prefix { $0 != ":" }
        let prefixes = ["autoconfig.", "autodiscover.", "mta-sts.", "ua-auto-config."]
        let stripped = prefixes.first { host.hasPrefix($0) }.map { host.dropFirst($0.count) } ?? host
        return try? DomainName(String(stripped))
    }

    private static func jsonFault(_ field: String, _ code: String) -> Failure {
        Failure(
            .malformed, code: code, "Only the protocol AutodiscoverV1 is offered here.",
            fields: [.init(field, code: code, "must be AutodiscoverV1")])
    }

    private static func file(_ text: String, _ type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-cache"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
