import Credentials
import HTTPService
import Hummingbird
import MailModel
import Platform
import Storage

/// The token endpoint of OAuth2 (RFC 6749 §3.2): what comes out opens IMAP and SMTP of one mailbox.
///
/// Clients are public: they are named by `client_id` and have no secret. What proves a request is the grant itself.
struct OAuthTokenRoutes: Sendable {
    let platform: Platform
    let issuer: TokenIssuer
    let mailTokens: MailTokens
    let passwordLogin: PasswordLogin
    let revoker: Revoker

    static let deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
    static let exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
    static let accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

    private var database: Database { platform.database }

    func add(to router: ServiceRouter) {
        router.post("/oauth2/token") { request, context in
            try await OAuthError.answering { try await token(request, context) }
        }
    }

    /// RFC 6749 §5.1, and `issued_token_type` of RFC 8693 §2.2.1.
    private struct Answer: Encodable {
        let access_token: String
        var issued_token_type: String?
        let token_type = "Bearer"
        /// Seconds.
        let expires_in: Int64
        var refresh_token: String?
        let scope: String
        /// The mailbox it opens, which IMAP and SMTP want as the user.
        let email: String

        init(_ issued: MailTokens.Issued, refreshToken: String? = nil, type: String? = nil) {
            access_token = issued.token
            issued_token_type = type
            expires_in = issued.expiresIn
            refresh_token = refreshToken
            scope = issued.scope.text
            email = issued.email
        }
    }

    private func token(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let form = OAuthParameters(try await request.form())
        let origin = SessionOrigin(ip: context.clientAddress, userAgent: request.headers[.userAgent])
        let answer =
            switch try form.required("grant_type") {
            case "authorization_code": try await code(form, origin, context)
            case "refresh_token": try await refresh(form, context)
            case Self.deviceGrant: try await device(form, origin, context)
            case Self.exchangeGrant: try await exchange(form, context)
            default: throw OAuthError("unsupported_grant_type", "This grant type is not known here.")
            }
        return try .json(answer, headers: [.cacheControl: "no-store"])
    }

    /// RFC 6749 §4.1.3, RFC 7636 §4.5
    private func code(
        _ form: OAuthParameters, _ origin: SessionOrigin, _ context: ServiceContext
    ) async throws -> Answer {
        let client = try await client(form)
        let redirectURI = try form.required("redirect_uri")
        let invalid = OAuthError.invalidGrant(
            "The code is not valid, has expired, was used, or was given for another client, redirect_uri or verifier.")
        guard let code = OpaqueToken(try form.required("code"), kind: .code) else { throw invalid }
        guard let challenge = PKCE.challenge(ofVerifier: try form.required("code_verifier")) else {
            throw OAuthError.invalidGrant("The code_verifier must have 43 to 128 unreserved characters.")
        }
        let issuedAt = Timestamp.now()
        let (opening, refreshToken) = issuer.opening(origin, issuedAt: issuedAt)
        let codes = database.authorizationCodes
        let grant = try await codes.grant(
            code.hash, clientID: client.clientID, redirectURI: redirectURI, challenge: challenge)
        // Made before the code is used up, so that a client which is told of a fault may show it again.
        var issued: MailTokens.Issued?
        if let grant {
            issued = try await self.issued(
                subject: grant.subject, mailbox: grant.mailbox, scope: MailScope(grant.scope) ?? .all,
                client: client, family: opening.family, issuedAt: issuedAt)
            guard issued != nil else { throw Self.noMailbox }
        }
        let redemption = try await codes.redeem(
            code.hash, clientID: client.clientID, redirectURI: redirectURI, challenge: challenge, opening: opening)
        switch (redemption, issued) {
        case (.replayed(let family), _):
            try await revoker.endReplayed(family, as: "authorization_code.replayed", from: context)
            throw invalid
        case (.redeemed(let grant), let issued?):
            await recordOpening(opening.family, by: grant.subject, client, context)
            return Answer(issued, refreshToken: refreshToken)
        case (.invalid, _), (.redeemed, nil): throw invalid
        }
    }

    /// RFC 6749 §6, RFC 9700 §4.14.2
    private func refresh(_ form: OAuthParameters, _ context: ServiceContext) async throws -> Answer {
        let client = try await client(form)
        let invalid = OAuthError.invalidGrant("The refresh token is not valid, was used or was revoked.")
        guard let token = OpaqueToken(try form.required("refresh_token"), kind: .refresh) else { throw invalid }
        guard let wanted = MailScope(try form["scope"] ?? "imap smtp") else { throw OAuthError.invalidScope }
        let isNarrowed = try form["scope"] != nil
        let issuedAt = Timestamp.now()
        let refreshed = try await issuer.refresh(
            token, clientID: client.clientID, scope: isNarrowed ? wanted : nil, issuedAt: issuedAt
        ) { session in
            let granted = MailScope(session.scope) ?? .all
            guard let mailbox = session.mailbox else { throw OAuthError.invalidScope }
            // Words beyond what was granted are not given, and the answer says so (RFC 6749 §3.3).
            let issued = try await self.issued(
                subject: session.subject, mailbox: mailbox,
                scope: isNarrowed ? granted.intersection(wanted) : granted, client: client, family: session.family,
                issuedAt: issuedAt)
            guard let issued else {
                // Nothing will ever be given for it.
                try await revoker.end(family: session.family)
                throw Self.noMailbox
            }
            return issued
        }
        switch refreshed {
        case .invalid: throw invalid
        case .outOfScope: throw OAuthError.invalidScope
        case .reused(let family):
            try await revoker.endReplayed(family, as: "refresh_token.reused", from: context)
            throw invalid
        case .renewed(let issued, let refreshToken): return Answer(issued, refreshToken: refreshToken)
        }
    }

    /// RFC 8628 §3.4
    private func device(
        _ form: OAuthParameters, _ origin: SessionOrigin, _ context: ServiceContext
    ) async throws -> Answer {
        let client = try await client(form)
        guard let code = OpaqueToken(try form.required("device_code"), kind: .device) else {
            throw OAuthError.invalidGrant("The device code is not valid.")
        }
        let issuedAt = Timestamp.now()
        let (opening, refreshToken) = issuer.opening(origin, issuedAt: issuedAt)
        // As for a code: used up last.
        var issued: MailTokens.Issued?
        if let approval = try await database.deviceCodes.approval(code.hash, clientID: client.clientID) {
            issued = try await self.issued(
                subject: approval.subject, mailbox: approval.mailbox, scope: MailScope(approval.scope) ?? .all,
                client: client, family: opening.family, issuedAt: issuedAt)
            guard issued != nil else { throw Self.noMailbox }
        }
        switch try await database.deviceCodes.poll(code.hash, clientID: client.clientID, opening: opening) {
        case .pending: throw OAuthError("authorization_pending", "Nobody has decided yet; ask again later.")
        case .tooFast: throw OAuthError("slow_down", "Wait five seconds longer between two requests.")
        case .denied: throw OAuthError("access_denied", "The request was denied.")
        case .expired: throw OAuthError("expired_token", "The device code has expired; ask for a new one.")
        case .unknown: throw OAuthError.invalidGrant("The device code is not valid or was used.")
        case .approved(let subject, let mailbox, let scope):
            // Between the two looks at it, if there is none yet.
            if issued == nil {
                issued = try await self.issued(
                    subject: subject, mailbox: mailbox, scope: MailScope(scope) ?? .all, client: client,
                    family: opening.family, issuedAt: issuedAt)
            }
            guard let issued else {
                try await revoker.end(family: opening.family)
                throw Self.noMailbox
            }
            await recordOpening(opening.family, by: subject, client, context)
            return Answer(issued, refreshToken: refreshToken)
        }
    }

    /// A mail token for an access token (RFC 8693 §2.1), the standard form of `mail-token`. `resource` may name the
    /// mailbox, as `mailto:` URI; without it the first of the person's own is taken.
    private func exchange(_ form: OAuthParameters, _ context: ServiceContext) async throws -> Answer {
        if try form["client_id"] != nil { _ = try await client(form) }
        let types = [Self.accessTokenType, "urn:ietf:params:oauth:token-type:jwt"]
        guard types.contains(try form.required("subject_token_type")),
            types.contains(try form["requested_token_type"] ?? Self.accessTokenType), try form["actor_token"] == nil
        else { throw OAuthError.invalidRequest("Only an access token can be exchanged, for an access token.") }
        guard try form["audience"] ?? "mail" == "mail" else {
            throw OAuthError("invalid_target", "The only audience is mail.")
        }
        guard let scope = MailScope(try form["scope"]) else { throw OAuthError.invalidScope }
        let resource = try form["resource"]
        guard resource?.hasPrefix("mailto:") != false else {
            throw OAuthError("invalid_target", "The resource must be a mailbox, like mailto:info@example.com.")
        }
        do {
            let person = try await platform.authenticator.person(bearer: try form.required("subject_token"))
            let issued = try await mailTokens.issue(
                for: .person(person), email: resource.map { String($0.dropFirst("mailto:".count)) }, scope: scope)
            await platform.audit.recordHourly(
                .init(
                    actor: person.subject, customerID: person.customerID, action: "mail_token.issued",
                    target: issued.email, detail: AuditStore.detail(["grant": "token_exchange"]),
                    ip: context.clientAddress, requestID: context.requestID))
            return Answer(issued, type: Self.accessTokenType)
        } catch let failure as Failure where failure.kind == .unauthorized {
            throw OAuthError.invalidRequest("The subject_token is not valid, has expired or was revoked.")
        } catch let failure as Failure where [.forbidden, .conflict, .invalid].contains(failure.kind) {
            throw OAuthError("invalid_target", failure.detail)
        }
    }

    /// The token of a session that is to be opened or continues.
    /// - Returns: nil when nothing can be given for it.
    private func issued(
        subject: String, mailbox: String, scope: MailScope, client: OAuthClient, family: String, issuedAt: Int64
    ) async throws -> MailTokens.Issued? {
        guard let principal = try await passwordLogin.principal(subject: subject),
            let issued = try await mailTokens.issue(
                for: principal, mailbox: mailbox, family: family, scope: scope, clientID: client.clientID,
                issuedAt: issuedAt)
        else { return nil }
        // Those that come with the product are never forgotten; half the world would wait for their row.
        if !client.isPreset { try await database.oauthClients.recordUse(client.clientID) }
        return issued
    }

    private static let noMailbox = OAuthError.invalidGrant(
        "The mailbox is not active or is not this person's any more.")

    private func recordOpening(
        _ family: String, by subject: String, _ client: OAuthClient, _ context: ServiceContext
    ) async {
        // What is known of the owner is for the record alone: it fails nothing.
        let owner = try? await database.sessions.owner(of: family)
        await platform.audit.record(
            .init(
                actor: subject, customerID: owner?.customerID, action: "oauth.session_opened",
                target: owner?.email ?? "",
                detail: AuditStore.detail(["client_id": client.clientID, "session": family]),
                ip: context.clientAddress, requestID: context.requestID))
    }

    private func client(_ form: OAuthParameters) async throws -> OAuthClient {
        let clientID = try form.required("client_id")
        guard try form["client_secret"] == nil, let client = try await database.oauthClients.find(clientID) else {
            throw OAuthError.unknownClient
        }
        return client
    }
}
