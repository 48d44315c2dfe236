import HTTPService
import Hummingbird

/// What verifiers and clients find out by themselves: keys (RFC 7517) and metadata (RFC 8414).
struct MetadataRoutes: Sendable {
    let jwks: String
    let issuer: String

    func add(to router: ServiceRouter) {
        router.unlogged().get("/.well-known/jwks.json") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json", .cacheControl: "public, max-age=300"],
                body: .init(byteBuffer: .init(string: jwks)))
        }
        router.get("/.well-known/oauth-authorization-server") { _, _ in
            try Response.json(Metadata(issuer: issuer), headers: [.cacheControl: "public, max-age=300"])
        }
    }

    /// Only what is there: the endpoints of the authorization code flow are not yet.
    private struct Metadata: Encodable {
        let issuer: String
        let jwks_uri: String
        let introspection_endpoint: String
        let introspection_endpoint_auth_methods_supported = ["client_secret_basic"]
        let revocation_endpoint: String
        let revocation_endpoint_auth_methods_supported = ["none"]
        let response_types_supported: [String] = []

        init(issuer: String) {
            self.issuer = issuer
            jwks_uri = issuer + "/.well-known/jwks.json"
            introspection_endpoint = issuer + "/api/v1/auth/token/introspect"
            revocation_endpoint = issuer + "/api/v1/auth/token/revoke"
        }
    }
}
