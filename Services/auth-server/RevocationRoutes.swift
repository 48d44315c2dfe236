import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Ending tokens before their time.
struct RevocationRoutes: Sendable {
    let platform: Platform
    let revoker: Revoker

    func add(to router: ServiceRouter) {
        router.post("/api/v1/auth/token/revoke") { request, context in
            try await OAuthError.answering { try await revokeToken(request, context) }
        }
        router.authenticated(platform.authenticator).once(platform.idempotency)
            .post("/api/v1/auth/revocations", use: revoke)
    }

    private struct Body: Decodable {
        var email: String?
        var user_id: Int64?
        var jti: String?
    }

    /// RFC 7009: who holds a token may end it; a token we do not know is ended already. What kind of token it is shows
    /// in the token itself, so the hint is not needed (§2.1).
    private func revokeToken(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let form = OAuthParameters(try await request.form())
        let text = try form.required("token")
        _ = try form["token_type_hint"]
        if OpaqueToken(text, kind: .service) != nil {
            // RFC 7009 §2.2.1: the platform's own tokens end where they are made.
            throw OAuthError("unsupported_token_type", "Service tokens are deleted at /api/v1/service-tokens.")
        }
        if let ended = try await end(text) {
            await platform.audit.record(
                .init(
                    actor: AuditStore.anonymous, action: "token.revoked", target: ended.value,
                    detail: #"{"kind":"\#(ended.kind.rawValue)"}"#, ip: context.clientAddress,
                    requestID: context.requestID))
        }
        return Response(status: .ok, headers: [.cacheControl: "no-store"])
    }

    /// - Returns: What was ended; nil for a token that is none of ours, or none any more.
    private func end(_ text: String) async throws -> Revocation? {
        let database = platform.database
        if let refresh = OpaqueToken(text, kind: .refresh) {
            guard let family = try await database.sessions.family(ofRefreshToken: refresh.hash) else { return nil }
            return Self.news(try await revoker.end(family: family))
        }
        if let app = OpaqueToken(text, kind: .app) {
            guard let found = try await database.appPasswords.login(hash: app.hash) else { return nil }
            return Self.news(try await revoker.end(appPassword: found.id, of: found.email))
        }
        do {
            let claims = try await platform.keys.verifyAny(text)
            // What its own end reached already is not reached again.
            guard !platform.revocations.isRevoked(claims) else { return nil }
            return Self.news(
                try await revoker.revoke(
                    .jti, claims.jti, mailboxes: claims.type == .mailAccess ? [claims.email] : []))
        } catch let failure as Failure where failure.kind == .unauthorized { return nil }
    }

    private static func news(_ made: (revocation: Revocation, isNew: Bool)) -> Revocation? {
        made.isNew ? made.revocation : nil
    }

    /// Everything issued before now to a mailbox, a user, or one token. A person may end its own.
    @Sendable private func revoke(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body: Body = try await request.decode()
        let (kind, value) = try await target(of: body, caller: context.caller)
        let revocation = try await revoker.revoke(kind, value).revocation
        await platform.audit.record(
            .init(
                actor: context.caller.actor, customerID: context.caller.customerID, action: "token.revoked",
                target: value, detail: #"{"kind":"\#(kind.rawValue)"}"#, ip: context.clientAddress,
                requestID: context.requestID))
        return try .json(Answer(revocation), status: .created)
    }

    private func target(of body: Body, caller: Caller) async throws -> (Revocation.Kind, String) {
        switch (body.email, body.user_id, body.jti) {
        case (let text?, nil, nil):
            let email = try EmailAddress(text).description
            try requireRight(of: caller, orIsOwn: { $0.accounts.contains(email) })
            guard try await platform.database.accounts.find(email: email, scope: caller.scope) != nil else {
                throw Failure.notFound("This mailbox")
            }
            return (.account, email)
        case (nil, let id?, nil):
            let subject = "user:\(id)"
            try requireRight(of: caller, orIsOwn: { $0.subject == subject })
            if case .person(let person) = caller, person.subject == subject { return (.user, subject) }
            return (.user, "user:\(try await platform.database.users.find(id, scope: caller.scope).id)")
        case (nil, nil, let jti?):
            try caller.requireAdmin("auth:revoke")
            // Whose token it is the id does not tell, so it is not for customers.
            guard caller.scope == .everything else { throw Failure.notFound("This token") }
            guard (1...64).contains(jti.utf8.count), jti.utf8.allSatisfy({ $0 < 0x80 }) else {
                throw Failure.invalid("jti", code: "invalid", "must be the jti of a token")
            }
            return (.jti, jti)
        default:
            throw Failure(.invalid, code: "invalid", "Name exactly one of email, user_id and jti.")
        }
    }

    private func requireRight(of caller: Caller, orIsOwn: (Caller.Person) -> Bool) throws {
        if case .person(let person) = caller, orIsOwn(person) { return }
        try caller.requireAdmin("auth:revoke")
    }

    /// A revocation as the API shows it.
    private struct Answer: Encodable {
        let id: Int64
        let at: String
        let kind: Revocation.Kind
        let value: String
        let not_before: String

        init(_ revocation: Revocation) {
            id = revocation.id
            at = Timestamp.rfc3339(milliseconds: revocation.at)
            kind = revocation.kind
            value = revocation.value
            not_before = Timestamp.rfc3339(milliseconds: revocation.notBefore)
        }
    }
}
