import MariaDB
import MailModel

/// What somebody allowed a client, to be exchanged for tokens once (RFC 6749 §4.1.2).
public struct AuthorizationGrant: Sendable, Equatable {
    public let clientID: String
    public let redirectURI: String
    /// `user:<id>` or `account:<id>`.
    public let subject: String
    public let mailbox: String
    /// `imap`, `smtp`, space-separated.
    public let scope: String
    /// PKCE, S256 (RFC 7636 §4.2).
    public let challenge: String
    /// When the person showed its password: milliseconds since 1970. Who was revoked since then is given nothing.
    public let authenticatedAt: Int64

    public init(
        clientID: String, redirectURI: String, subject: String, mailbox: String, scope: String, challenge: String,
        authenticatedAt: Int64
    ) {
        self.clientID = clientID
        self.redirectURI = redirectURI
        self.subject = subject
        self.mailbox = mailbox
        self.scope = scope
        self.challenge = challenge
        self.authenticatedAt = authenticatedAt
    }
}

extension AuthorizationGrant {
    fileprivate func isFor(_ clientID: String, _ redirectURI: String, _ challenge: String) -> Bool {
        self.clientID == clientID && self.redirectURI == redirectURI && self.challenge == challenge
    }
}

/// Authorization codes; only their hash is kept.
public struct AuthorizationCodeStore: Sendable {
    let database: Database

    public enum Redemption: Sendable, Equatable {
        /// The session that was opened is the grant's.
        case redeemed(AuthorizationGrant)
        /// The code was used before: what it was exchanged for must die (RFC 6749 §4.1.2).
        case replayed(family: String)
        case invalid
    }

    /// - Parameter expiresAt: Milliseconds since 1970.
    public func keep(_ grant: AuthorizationGrant, hash: String, expiresAt: Int64) async throws {
        try await database.execute(
            """
            INSERT INTO oauth_codes
              (code_hash, client_id, redirect_uri, subject, mailbox, scope, challenge, authenticated_at, created_at,
               expires_at)
            VALUES (\(hash), \(grant.clientID), \(grant.redirectURI), \(grant.subject), \(grant.mailbox),
              \(grant.scope), \(grant.challenge), \(grant.authenticatedAt), \(Timestamp.now()), \(expiresAt))
            """)
    }

    /// What a code would be exchanged for by `redeem`, which alone uses it up; nil when it would be refused.
    public func grant(
        _ hash: String, clientID: String, redirectURI: String, challenge: String
    ) async throws -> AuthorizationGrant? {
        let rows = try await database.query(Self.select(hash))
        guard let row = rows.first, try row.optionalString("family") == nil else { return nil }
        let grant = try Self.grant(row)
        let counts = try Self.counts(row, now: Timestamp.now())
        return counts && grant.isFor(clientID, redirectURI, challenge) ? grant : nil
    }

    /// Exchanges a code for a session, once: of several at the same time one gets it, the others are a replay.
    ///
    /// A code that is shown with another client, redirect or verifier is used up by that: somebody else has it. One
    /// whose person or mailbox was revoked since the password was shown is worth nothing.
    /// - Parameter opening: The session's family and first refresh token.
    public func redeem(
        _ hash: String, clientID: String, redirectURI: String, challenge: String, opening: SessionOpening
    ) async throws -> Redemption {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            let rows = try tx.query(Self.select(hash) + " FOR UPDATE")
            guard let row = rows.first else { return .invalid }
            if let family = try row.optionalString("family") { return .replayed(family: family) }
            let grant = try Self.grant(row)
            guard try Self.counts(row, now: now), grant.isFor(clientID, redirectURI, challenge) else {
                try tx.execute("DELETE FROM oauth_codes WHERE code_hash = \(hash)")
                return .invalid
            }
            try tx.execute("UPDATE oauth_codes SET family = \(opening.family) WHERE code_hash = \(hash)")
            var opening = opening
            opening.issuedAt = min(opening.issuedAt, grant.authenticatedAt)
            opening.origin.clientID = grant.clientID
            opening.origin.mailbox = grant.mailbox
            opening.origin.scope = grant.scope
            try SessionStore.open(opening, subject: grant.subject, in: tx)
            return .redeemed(grant)
        }
    }

    private static func select(_ hash: String) -> SQL {
        """
        SELECT client_id, redirect_uri, subject, mailbox, scope, challenge, authenticated_at, family, expires_at,
          \(isRevoked) AS revoked
        FROM oauth_codes c WHERE code_hash = \(hash)
        """
    }

    private static func grant(_ row: Row) throws -> AuthorizationGrant {
        AuthorizationGrant(
            clientID: try row.string("client_id"), redirectURI: try row.string("redirect_uri"),
            subject: try row.string("subject"), mailbox: try row.string("mailbox"), scope: try row.string("scope"),
            challenge: try row.string("challenge"), authenticatedAt: try row.int64("authenticated_at"))
    }

    private static func counts(_ row: Row, now: Int64) throws -> Bool {
        try row.int64("expires_at") > now && !row.bool("revoked")
    }

    private static let isRevoked = RevocationStore.isRevoked(
        subject: "c.subject", mailbox: "c.mailbox", since: "c.authenticated_at")

    /// Forgets codes whose time is long over; until then a replay is noticed.
    public func purge() async throws {
        try await database.execute("DELETE FROM oauth_codes WHERE expires_at < \(Timestamp.now() - 86_400_000)")
    }
}
