import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// Login, refresh, logout.
struct LoginRoutes: Sendable {
    let platform: Platform
    let issuer: TokenIssuer
    let passwordLogin: PasswordLogin
    let revoker: Revoker
    let rates: RateBound

    /// Access tokens that one person may refresh in an hour, as `MailTokens` has it.
    private static let hourlyRefreshes = 1000

    func add(to router: ServiceRouter) {
        router.post("/api/v1/auth/login") { try await login($0, $1) }
        // A session is made by logging in.
        router.post("/api/v1/auth/sessions") { try await login($0, $1, status: .created) }
        router.post("/api/v1/auth/refresh", use: refresh)
        router.authenticated(platform.authenticator).post("/api/v1/auth/logout", use: logout)
    }

    private struct Login: Decodable {
        let email: String
        let password: String
        var totp: String?
    }

    private struct Refresh: Decodable {
        let refresh_token: String
    }

    struct Session: Encodable {
        struct Owner: Encodable {
            let id: Int64
            let email: String
            let customer_id: Int64
            let role: Role
            let accounts: [String]
        }

        let access_token: String
        let token_type = "Bearer"
        /// Seconds.
        let expires_in: Int64
        let refresh_token: String
        let user: Owner
    }

    private func login(
        _ request: Request, _ context: ServiceContext, status: HTTPResponse.Status = .ok
    ) async throws -> Response {
        let body: Login = try await request.decode()
        let issuedAt = Timestamp.now()
        let principal = try await passwordLogin.authenticate(
            .init(
                email: body.email, password: body.password, totp: body.totp, source: context.clientAddress,
                requestID: context.requestID))
        let pair = try await issuer.open(
            principal, origin: SessionOrigin(ip: context.clientAddress, userAgent: request.headers[.userAgent]),
            issuedAt: issuedAt)
        await passwordLogin.succeeded(principal, source: context.clientAddress, requestID: context.requestID)
        return try .json(session(pair, of: principal), status: status, headers: [.cacheControl: "no-store"])
    }

    @Sendable private func refresh(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let body: Refresh = try await request.decode()
        let invalid = Failure(
            .unauthorized, code: "invalid_grant",
            "The refresh token is not valid, was used or was revoked; log in again.")
        guard let token = OpaqueToken(body.refresh_token, kind: .refresh) else { throw invalid }
        let issuedAt = Timestamp.now()
        let refreshed = try await issuer.refresh(token, clientID: nil, issuedAt: issuedAt) { session in
            guard let principal = try await passwordLogin.principal(subject: session.subject), principal.isActive else {
                throw invalid
            }
            let name = "access_token.\(session.subject)"
            guard await rates.admits(name, upTo: Self.hourlyRefreshes, within: .seconds(3600)) else {
                throw Failure(
                    .tooManyRequests, code: "too_many_refreshes", "Too many tokens were made; use one for its life.",
                    retryAfter: .seconds(600))
            }
            return (principal, try await issuer.access(principal, family: session.family, issuedAt: issuedAt))
        }
        switch refreshed {
        case .invalid, .outOfScope: throw invalid
        case .reused(let family):
            try await revoker.endReplayed(family, as: "refresh_token.reused", from: context)
            throw invalid
        case .renewed((let principal, let access), let refreshToken):
            return try .json(
                session(.init(accessToken: access, refreshToken: refreshToken), of: principal),
                headers: [.cacheControl: "no-store"])
        }
    }

    @Sendable private func logout(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard case .person(let person) = context.caller else {
            throw Failure.forbidden("A service token has no session to end.")
        }
        try await revoker.end(family: person.family)
        await platform.audit.record("session.logged_out", target: person.family, by: context)
        return .noContent
    }

    private func session(_ pair: TokenIssuer.Pair, of principal: Principal) -> Session {
        Session(
            access_token: pair.accessToken, expires_in: issuer.accessLifetime.components.seconds,
            refresh_token: pair.refreshToken,
            user: .init(
                id: principal.id, email: principal.email, customer_id: principal.customerID, role: principal.role,
                accounts: principal.accounts))
    }
}
