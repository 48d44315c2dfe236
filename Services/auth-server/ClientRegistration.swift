import Credentials
import EventBus
import FoundationEssentials
import HTTPService
import Hummingbird
import Logging
import MailModel
import NIOCore
import Platform
import Storage

/// Dynamic registration of public clients (RFC 7591).
struct ClientRegistration: Sendable {
    let platform: Platform
    let rates: RateBound
    /// Whose pages they are: no program is called that.
    let brand: String

    /// Registrations of one network within an hour.
    private static let hourlyLimit = 20
    /// Clients that registered by themselves, in all.
    private static let totalLimit = 10_000

    func add(to router: ServiceRouter) {
        router.post("/oauth2/register") { request, context in
            try await OAuthError.answering { try await register(request, context) }
        }
    }

    /// RFC 7591 §2. What is not here is passed over, as the RFC has it.
    private struct Metadata: Decodable {
        var redirect_uris: [String]?
        var client_name: String?
        var client_uri: String?
        var token_endpoint_auth_method: String?
        var grant_types: [String]?
        var response_types: [String]?
        var scope: String?
    }

    /// RFC 7591 §3.2.1
    private struct Answer: Encodable {
        let client_id: String
        let client_id_issued_at: Int64
        let client_name: String
        let client_uri: String?
        let redirect_uris: [String]
        let token_endpoint_auth_method = "none"
        let grant_types: [String]
        let response_types: [String]
        let scope: String
    }

    private static let invalidMetadata = "invalid_client_metadata"

    private func register(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let body = try await request.bodyBytes(upTo: 65_536)
        guard let metadata = try? JSONDecoder().decode(Metadata.self, from: Data(body.readableBytesView)) else {
            throw OAuthError(Self.invalidMetadata, "The body must be a JSON object of client metadata.")
        }
        let grants = try Self.checkedGrants(metadata)
        let redirectURIs = try Self.checkedRedirects(
            metadata.redirect_uris ?? [], areNeeded: grants.contains("authorization_code"))
        let client = OAuthClient(
            clientID: OpaqueToken.identifier(), name: try checkedName(metadata.client_name),
            redirectURIs: redirectURIs, clientURI: try Self.checkedHomePage(metadata.client_uri), isPreset: false)
        try await bound(context.clientAddress)
        guard
            try await platform.database.oauthClients.register(
                client, from: context.clientAddress, limit: Self.totalLimit)
        else { throw Self.full }
        await platform.audit.record(
            .init(
                actor: AuditStore.anonymous, action: "oauth.client_registered", target: client.clientID,
                ip: context.clientAddress, requestID: context.requestID))
        // What it may do, whatever it asked for: that is not kept (RFC 7591 §3.2.1).
        let hasPages = !redirectURIs.isEmpty
        let answer = Answer(
            client_id: client.clientID, client_id_issued_at: Timestamp.now() / 1000, client_name: client.name,
            client_uri: client.clientURI, redirect_uris: client.redirectURIs,
            grant_types: Self.grants.filter { hasPages || $0 != "authorization_code" },
            response_types: hasPages ? ["code"] : [], scope: MailScope.all.text)
        return try .json(answer, status: .created, headers: [.cacheControl: "no-store"])
    }

    private static let full = Failure(
        .tooManyRequests, code: "too_many_registrations", "Too many clients were registered; try again later.",
        retryAfter: .seconds(3600))

    private func bound(_ address: String) async throws {
        let name = "oauth.register.\(ClientNetwork(of: address).text)"
        guard await rates.admits(name, upTo: Self.hourlyLimit, within: .seconds(3600)) else { throw Self.full }
    }

    private static let grants = ["authorization_code", "refresh_token", OAuthTokenRoutes.deviceGrant]

    private static func checkedGrants(_ metadata: Metadata) throws -> [String] {
        guard metadata.token_endpoint_auth_method ?? "none" == "none" else {
            throw OAuthError(invalidMetadata, "Only public clients register here: token_endpoint_auth_method is none.")
        }
        let wanted = metadata.grant_types ?? ["authorization_code", "refresh_token"]
        guard !wanted.isEmpty, Set(wanted).isSubset(of: grants) else {
            throw OAuthError(invalidMetadata, "grant_types may name \(grants.joined(separator: ", ")).")
        }
        guard Set(metadata.response_types ?? ["code"]).isSubset(of: ["code"]) else {
            throw OAuthError(invalidMetadata, "The only response type is code.")
        }
        guard MailScope(metadata.scope) != nil else {
            throw OAuthError(invalidMetadata, "The scope may name imap and smtp.")
        }
        return wanted
    }

    private static func checkedRedirects(_ texts: [String], areNeeded: Bool) throws -> [String] {
        guard texts.count <= 10, !(areNeeded && texts.isEmpty) else {
            throw OAuthError("invalid_redirect_uri", "Name one to ten redirect_uris.")
        }
        for text in texts where RedirectURI(text) == nil {
            throw OAuthError(
                "invalid_redirect_uri",
                "A redirect URI must be https, http on a loopback address, or of a private-use scheme with a dot "
                    + "(com.example.app:/callback), without user information and fragment (RFC 8252).")
        }
        return texts
    }

    private func checkedName(_ text: String?) throws -> String {
        let name = (text ?? "An unnamed program").split(whereSeparator: \.isWhitespace).joined(separator: " ")
        // What turns the direction of writing, or is not seen, could make the name look like another's.
        let isPlain = name.unicodeScalars.allSatisfy {
            ![.control, .format, .privateUse, .surrogate, .unassigned].contains($0.properties.generalCategory)
        }
        guard (1...60).contains(name.unicodeScalars.count), name.utf8.count <= 200, isPlain else {
            throw OAuthError(Self.invalidMetadata, "client_name must have 1 to 60 visible characters.")
        }
        let skeleton = ClientName(name)
        guard !(OAuthClient.presets.map(\.name) + [brand]).contains(where: { skeleton.passes(for: $0) }) else {
            throw OAuthError(Self.invalidMetadata, "This client_name belongs to a client that is known already.")
        }
        return name
    }

    private static func checkedHomePage(_ text: String?) throws -> String? {
        guard let text else { return nil }
        guard text.utf8.count <= 255, RedirectURI(text)?.kind == .https else {
            throw OAuthError(invalidMetadata, "client_uri must be an https URL.")
        }
        return text
    }
}
