import Credentials
import MailModel
import Storage

/// Who a session belongs to: a user of the platform, or a mailbox that logged in by itself.
struct Principal: Sendable {
    /// The `sub` of its tokens.
    let subject: String
    /// The numeric id behind the subject.
    let id: Int64
    let email: String
    let customerID: Int64
    let role: Role
    let accounts: [String]
    let isActive: Bool

    init(_ user: User) {
        subject = "user:\(user.id)"
        id = user.id
        email = user.email
        customerID = user.customerID
        role = user.role
        accounts = user.accounts
        isActive = user.status == .active
    }

    /// A mailbox is a member with that one mailbox.
    init(_ mailbox: AccountStore.Login) {
        subject = "account:\(mailbox.id)"
        id = mailbox.id
        email = mailbox.email
        customerID = mailbox.customerID
        role = .member
        accounts = [mailbox.email]
        isActive = mailbox.isActive
    }
}

/// Makes the tokens of a login session and of the mail stack.
struct TokenIssuer: Sendable {
    let keys: SigningKeys
    let issuer: String
    let sessions: SessionStore
    let mailTokens: MailTokenStore
    let accessLifetime: Duration
    let mailLifetime: Duration
    let refreshLifetime: Duration
    /// For how long a refresh token may be shown once more, its answer having been lost.
    let refreshRetryWindow: Duration

    /// What a login or a refresh hands out.
    struct Pair: Sendable {
        let accessToken: String
        let refreshToken: String
    }

    /// What a refresh token was exchanged for.
    enum Refreshed<Answer: Sendable>: Sendable {
        case renewed(Answer, refreshToken: String)
        /// The token had been used before: the family must be revoked.
        case reused(family: String)
        /// Nothing of what was wanted had been granted.
        case outOfScope
        case invalid
    }

    /// A new family and its first refresh token, to open a session with.
    func opening(_ origin: SessionOrigin, issuedAt: Int64) -> (opening: SessionOpening, refreshToken: String) {
        let refresh = OpaqueToken(new: .refresh)
        let opening = SessionOpening(
            family: OpaqueToken.identifier(), refreshHash: refresh.hash, issuedAt: issuedAt,
            expiresAt: refreshExpiry(issuedAt), origin: origin)
        return (opening, refresh.text)
    }

    /// Opens a session: the first pair of its family.
    func open(_ principal: Principal, origin: SessionOrigin, issuedAt: Int64) async throws -> Pair {
        let (opening, refreshToken) = opening(origin, issuedAt: issuedAt)
        try await sessions.open(opening, subject: principal.subject)
        return Pair(
            accessToken: try await access(principal, family: opening.family, issuedAt: issuedAt),
            refreshToken: refreshToken)
    }

    /// Uses a refresh token up (RFC 9700 §4.14.2), last of all: what the answer needs is made before, so that a client
    /// which is told of a fault still has a token that counts.
    ///
    /// - Parameters:
    ///   - clientID: The OAuth client that shows it; nil for a login by the API.
    ///   - scope: What it is to do; nil for all that was granted.
    ///   - prepare: Makes what is given beside the new refresh token.
    func refresh<Answer: Sendable>(
        _ token: OpaqueToken, clientID: String?, scope: MailScope? = nil, issuedAt: Int64,
        prepare: (SessionStore.Rotated) async throws -> Answer
    ) async throws -> Refreshed<Answer> {
        let showing = SessionStore.Showing(
            hash: token.hash, clientID: clientID,
            wanted: scope.map { Set($0.text.split(separator: " ").map(String.init)) },
            retryWindow: refreshRetryWindow)
        var standing = try await sessions.standing(of: showing)
        if case .rotated(let session) = standing {
            let answer = try await prepare(session)
            let successor = OpaqueToken(new: .refresh)
            standing = try await sessions.rotate(showing, to: successor.hash, expiresAt: refreshExpiry(issuedAt))
            if case .rotated = standing { return .renewed(answer, refreshToken: successor.text) }
        }
        return switch standing {
        case .reused(let family): .reused(family: family)
        case .outOfScope: .outOfScope
        case .rotated, .invalid: .invalid
        }
    }

    /// An access token of a session.
    /// - Parameter issuedAt: Milliseconds since 1970, taken before the principal was read: whoever was suspended since
    ///   then is revoked by a later time than this, and the token is dead on arrival.
    func access(_ principal: Principal, family: String, issuedAt: Int64) async throws -> String {
        try await keys.sign(
            .access(
                issuer: issuer, subject: principal.subject, jti: OpaqueToken.identifier(), issuedAt: issuedAt,
                lifetime: accessLifetime, family: family, email: principal.email, customerID: principal.customerID,
                role: principal.role.rawValue, accounts: principal.accounts))
    }

    /// A token for IMAP and SMTP of one mailbox; `issuedAt` as for `access`.
    func mail(
        _ email: String, subject: String, family: String, scope: MailScope = .all, clientID: String? = nil,
        issuedAt: Int64
    ) async throws -> String {
        let token = AccessToken.mailAccess(
            issuer: issuer, subject: subject, jti: OpaqueToken.identifier(), issuedAt: issuedAt,
            lifetime: mailLifetime, family: family, email: email, scope: scope.text, clientID: clientID)
        try await mailTokens.record(
            jti: token.jti, family: family, subject: subject, email: email, issuedAt: issuedAt,
            expiresAt: token.exp * 1000)
        return try await keys.sign(token)
    }

    private func refreshExpiry(_ issuedAt: Int64) -> Int64 {
        issuedAt + refreshLifetime.components.seconds * 1000
    }
}
