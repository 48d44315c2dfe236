import HTTPService
import MailModel
import Storage

/// What a client asks for at the authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3).
struct AuthorizationRequest: Sendable, Codable {
    let clientID: String
    let redirectURI: String
    let scope: String
    let challenge: String
    let state: String?
    let loginHint: String?

    /// Why there is none.
    enum Refusal: Error {
        /// Nothing that the request says can be trusted: nobody is sent anywhere (RFC 6749 §4.1.2.1).
        case untrusted
        /// The client is where it says, but anybody may have registered it: the fault is shown to the person, and nobody is
        /// sent to a web page of its choice for nothing but following a link to us (RFC 9700 §4.11.2).
        case shown(OAuthError)
        /// The client is told, where it is known to be.
        case told(OAuthError, redirect: RedirectURI, state: String?)
    }

    /// - Throws: `Refusal`, or `Failure` when the client cannot be looked up.
    init(
        _ parameters: OAuthParameters, client find: (String) async throws -> OAuthClient?
    ) async throws {
        let redirect: RedirectURI
        do {
            clientID = try parameters.required("client_id")
            guard let parsed = RedirectURI(try parameters.required("redirect_uri")) else { throw Refusal.untrusted }
            redirect = parsed
        } catch is OAuthError { throw Refusal.untrusted }
        guard let client = try await find(clientID), client.allows(redirect) else { throw Refusal.untrusted }
        redirectURI = redirect.text
        let state: String?
        let isTold = client.isPreset || redirect.kind != .https
        do { state = try parameters["state"] } catch {
            throw isTold ? Refusal.told(error, redirect: redirect, state: nil) : .shown(error)
        }
        self.state = state
        do {
            (scope, challenge) = try Self.checked(parameters)
            loginHint = try parameters["login_hint"].map { $0.prefix(scalars: 320) }
        } catch { throw isTold ? Refusal.told(error, redirect: redirect, state: state) : .shown(error) }
    }

    private static func checked(_ parameters: OAuthParameters) throws(OAuthError) -> (scope: String, challenge: String)
    {
        guard try parameters.required("response_type") == "code" else {
            throw OAuthError("unsupported_response_type", "The only response_type is code.")
        }
        guard try parameters["response_mode"] ?? "query" == "query" else {
            throw .invalidRequest("The only response_mode is query.")
        }
        for name in ["request", "request_uri"] where try parameters[name] != nil {
            throw OAuthError("\(name)_not_supported", "Send the parameters themselves.")
        }
        guard try parameters["code_challenge_method"] == "S256",
            let challenge = try parameters["code_challenge"], PKCE.isChallenge(challenge)
        else { throw .invalidRequest("PKCE is required: code_challenge, and code_challenge_method S256.") }
        if try parameters["prompt"] == "none" {
            throw OAuthError("login_required", "Nobody stays signed in here: a person must be asked.")
        }
        guard let scope = MailScope(try parameters["scope"]) else { throw .invalidScope }
        return (scope.text, challenge)
    }
}

extension RedirectURI {
    /// The answer of the authorization endpoint: always with the issuer, so that it is not taken for another's
    /// (RFC 9207).
    func answer(_ parameters: [(name: String, value: String)], state: String?, issuer: String) -> String {
        adding(parameters + (state.map { [("state", $0)] } ?? []) + [("iss", issuer)])
    }

    func answer(_ error: OAuthError, state: String?, issuer: String) -> String {
        answer(
            [("error", error.code), ("error_description", error.description)], state: state, issuer: issuer)
    }

    /// What a Content-Security-Policy must allow for a form to lead there.
    var formTarget: String {
        switch kind {
        case .privateUse: place + ":"
        // A policy has no words for an IPv6 address.
        case .loopback where place.hasPrefix("["): "http:"
        case .loopback, .https:
            text.prefix { $0 != "?" }.split(separator: "/", maxSplits: 2).prefix(2).joined(separator: "//")
        }
    }
}
