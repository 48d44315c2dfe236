import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import NIOCore
import Platform
import Storage

/// Token introspection for Dovecot and services (RFC 7662).
struct IntrospectionRoutes: Sendable {
    let platform: Platform
    let introspector: Introspector
    let credential: BasicCredential

    private static let path: StaticString = "/api/v1/auth/token/introspect"

    func add(to service: ServiceAssembly) {
        service.router.unlogged().post(RouterPath(Self.path.description), use: introspect)
        service.answerPromptly(
            PromptRoute(
                Self.path, headers: ["authorization", "x-service-token", "x-dovecot-auth-service"], answer: known))
    }

    /// What Dovecot asks again, or for a mailbox that was seen lately: answered from memory, or not here.
    @Sendable private func known(_ request: PromptRequest) -> PromptAnswer {
        guard let authorization = request.header("authorization"), credential.matches(usual: authorization),
            request.header("x-service-token") == nil, let token = request.formField("token"), !token.isEmpty
        else { return .leave }
        let service = request.header("x-dovecot-auth-service").map { String(decoding: $0, as: UTF8.self) }
        let login = Introspector.Login(service: service, remote: nil)
        if let answer = introspector.known(token, at: login) { return .json(answer) }
        return .soon { [introspector] in await introspector.verified(token, at: login) }
    }

    @Sendable private func introspect(_ request: Request, _ context: ServiceContext) async throws -> Response {
        do { try await authenticate(request) } catch let failure as Failure
            where [.unauthorized, .forbidden].contains(failure.kind)
        {
            await platform.audit.recordHourly(
                .init(
                    actor: AuditStore.anonymous, action: "introspection.refused", target: context.clientAddress,
                    ip: context.clientAddress, requestID: context.requestID))
            throw failure
        }
        let form = try await request.form()
        guard let token = form["token"], !token.isEmpty else {
            throw Failure(.malformed, code: "invalid_request", "The form has no token.")
        }
        let answer: ByteBuffer
        do {
            answer = try await introspector.answer(
                token,
                at: .init(
                    service: request.headers[.dovecotService], remote: request.headers[.dovecotRemote]))
        } catch let failure as Failure where failure.kind == .timeout {
            // To those who ask, a database that hangs is one that is away: not known now, ask again.
            throw Failure.unavailable("MariaDB")
        }
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
    ///
    /// - Parameters:
    ///   - service: `imap`, `smtp`, …
    ///   - remote: `address:port`
    init(service: String?, remote: String?) {
        switch service {
        case "imap", "pop3", "sieve", "managesieve": wanted = .imap
        case "smtp", "submission": wanted = .smtp
        case nil, "": wanted = []
        // Not one that a mail token is for.
        default: wanted = .nothing
        }
        ip = remote.flatMap { remote in
            remote.lastIndex(of: ":").map { String(remote[..<$0]).prefix(scalars: 45) }
        }
    }
}

extension HTTPField.Name {
    // The names are well-formed, so the fallback is never used.
    fileprivate static let dovecotService = HTTPField.Name("X-Dovecot-Auth-Service") ?? .from
    fileprivate static let dovecotRemote = HTTPField.Name("X-Dovecot-Auth-Remote") ?? .from
}
