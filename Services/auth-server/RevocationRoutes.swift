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
        router.post("/api/v1/auth/token/revoke", use: revokeToken)
        router.authenticated(platform.authenticator).post("/api/v1/auth/revocations", use: revoke)
    }

    private struct Body: Decodable {
        var email: String?
        var user_id: Int64?
        var jti: String?
    }

    /// RFC 7009: who holds a token may end it; a token we do not know is ended already.
    @Sendable private func revokeToken(_ request: Request, _ context: ServiceContext) async throws -> Response {
        guard let text = try await request.form()["token"], !text.isEmpty else {
            throw Failure(.malformed, code: "invalid_request", "The form has no token.")
        }
        if let refresh = OpaqueToken(text, kind: .refresh) {
            if let family = try await platform.database.sessions.family(ofRefreshToken: refresh.hash) {
                try await revoker.end(family: family)
            }
        } else if let claims = try? await platform.keys.verifyAny(text) {
            try await revoker.revoke(
                .jti, claims.jti, mailboxes: claims.type == .mailAccess ? [claims.email] : [])
        }
        return Response(status: .ok)
    }

    /// Everything issued before now to a mailbox, a user, or one token.
    @Sendable private func revoke(_ request: Request, _ context: CallerContext) async throws -> Response {
        try context.caller.requireAdmin("auth:revoke")
        let body: Body = try await request.decode()
        let (kind, value) = try await target(of: body, scope: context.caller.scope)
        return try .json(Answer(try await revoker.revoke(kind, value)), status: .created)
    }

    private func target(of body: Body, scope: Scope) async throws -> (Revocation.Kind, String) {
        switch (body.email, body.user_id, body.jti) {
        case (let text?, nil, nil):
            let email = try EmailAddress(text).description
            guard try await platform.database.accounts.find(email: email, scope: scope) != nil else {
                throw Failure.notFound("This mailbox")
            }
            return (.account, email)
        case (nil, let id?, nil):
            return (.user, "user:\(try await platform.database.users.find(id, scope: scope).id)")
        case (nil, nil, let jti?):
            // Whose token it is the id does not tell, so it is not for customers.
            guard scope == .everything else { throw Failure.notFound("This token") }
            guard (1...64).contains(jti.utf8.count) else {
                throw Failure.invalid("jti", code: "invalid", "must be the jti of a token")
            }
            return (.jti, jti)
        default:
            throw Failure(.invalid, code: "invalid", "Name exactly one of email, user_id and jti.")
        }
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
