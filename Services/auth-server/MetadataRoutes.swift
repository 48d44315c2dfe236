import Credentials
import HTTPService
import Hummingbird

/// What verifiers and clients find out by themselves: keys (RFC 7517) and metadata (RFC 8414).
struct MetadataRoutes: Sendable {
    let keys: SigningKeys
    let issuer: String

    func add(to router: ServiceRouter) {
        router.unlogged().get("/.well-known/jwks.json") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json", .cacheControl: "public, max-age=300"],
                body: .init(byteBuffer: .init(string: try keys.jwks())))
        }
        // The same document under both names: clients of either kind look for it, and no ID token is promised in it.
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
            router.get(RouterPath(path)) { _, _ in
                try Response.json(Metadata(issuer: issuer), headers: [.cacheControl: "public, max-age=300"])
            }
        }
    }

    /// RFC 8414 §2. Introspection is for the mail servers inside, and not to be reached at the issuer's address.
    private struct Metadata: Encodable {
        let issuer: String
        let authorization_endpoint: String
        let token_endpoint: String
        let device_authorization_endpoint: String
        let registration_endpoint: String
        let revocation_endpoint: String
        let jwks_uri: String
        let response_types_supported = ["code"]
        let response_modes_supported = ["query"]
        let grant_types_supported = [
            "authorization_code", "refresh_token", OAuthTokenRoutes.deviceGrant, OAuthTokenRoutes.exchangeGrant,
        ]
        let scopes_supported = ["imap", "smtp", "urn:ietf:params:oauth:scope:mail"]
        let code_challenge_methods_supported = ["S256"]
        let token_endpoint_auth_methods_supported = ["none"]
        let revocation_endpoint_auth_methods_supported = ["none"]
        /// RFC 9207 §3
        let authorization_response_iss_parameter_supported = true
        let ui_locales_supported = ["en", "de"]

        init(issuer: String) {
            self.issuer = issuer
            authorization_endpoint = issuer + "/oauth2/authorize"
            token_endpoint = issuer + "/oauth2/token"
            device_authorization_endpoint = issuer + "/oauth2/device"
            registration_endpoint = issuer + "/oauth2/register"
            revocation_endpoint = issuer + "/api/v1/auth/token/revoke"
            jwks_uri = issuer + "/.well-known/jwks.json"
        }
    }
}
