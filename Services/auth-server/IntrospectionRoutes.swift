import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import Platform

/// Token introspection for Dovecot and services (RFC 7662).
struct IntrospectionRoutes: Sendable {
    let platform: Platform
    let introspector: Introspector
    let credential: BasicCredential

    func add(to router: ServiceRouter) {
        router.unlogged().post("/api/v1/auth/token/introspect", use: introspect)
    }

    @Sendable private func introspect(_ request: Request, _ context: ServiceContext) async throws -> Response {
        try await authenticate(request)
        let form = try await request.form()
        guard let token = form["token"], !token.isEmpty else {
            throw Failure(.malformed, code: "invalid_request", "The form has no token.")
        }
        let answer = try await introspector.answer(token, at: Introspector.Login(request))
        return Response(
            status: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: .init(byteBuffer: answer))
    }

    /// Dovecot's credentials, or a service token that may introspect (RFC 7662 §2.1).
    private func authenticate(_ request: Request) async throws {
        if request.headers[.xServiceToken] != nil {
            try await platform.authenticator.caller(of: request).requirePlatform("auth:introspect")
        } else {
            try credential.require(request)
        }
    }
}

extension Introspector.Login {
    /// Reads what Dovecot tells with `send_auth_headers`; services of the platform tell nothing and want nothing.
    init(_ request: Request) {
        switch request.headers[.dovecotService] {
        case "imap", "pop3", "sieve", "managesieve": wanted = .imap
        case "smtp", "submission": wanted = .smtp
        default: wanted = []
        }
        // `address:port`
        ip = request.headers[.dovecotRemote].flatMap { remote in
            remote.lastIndex(of: ":").map { String(remote[..<$0].prefix(45)) }
        }
    }
}

extension HTTPField.Name {
    // The names are well-formed, so the fallback is never used.
    fileprivate static let dovecotService = HTTPField.Name("X-Dovecot-Auth-Service") ?? .from
    fileprivate static let dovecotRemote = HTTPField.Name("X-Dovecot-Auth-Remote") ?? .from
}
