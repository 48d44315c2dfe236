/// The claims of a token this product issues: a JWT signed with ES256 (RFC 7519, RFC 7518 §3.4).
public struct AccessToken: Sendable, Equatable, Codable {
    /// What a token opens; each kind has its own audience, so that one is never taken for the other.
    public enum Kind: String, Sendable, Codable {
        /// The REST endpoints.
        case access
        /// IMAP and SMTP, for one mailbox.
        case mailAccess = "mail_access"

        /// The `aud` claim of the kind.
        public var audience: String {
            switch self {
            case .access: "platform"
            case .mailAccess: "mail"
            }
        }
    }

    /// The issuer: the public base URL of the platform.
    public let iss: String
    public let aud: String
    /// `user:<id>` for a user, `account:<id>` for a mailbox that logged in by itself, `service:<id>` for a service token.
    public let sub: String
    /// Unique to the token.
    public let jti: String
    /// When it was issued: seconds since 1970 with a fraction of milliseconds, so that a revocation in the same second
    /// is exact.
    public let iat: Double
    /// When it ends: seconds since 1970.
    public let exp: Int64
    public let type: Kind
    /// The login session it descends from (its refresh-token family); empty for tokens made for a service.
    public let sid: String
    /// The address of the person, or of the mailbox which a mail token opens.
    public let email: String
    /// `access` only.
    public let customerID: Int64?
    /// `access` only: `admin` or `member`.
    public let role: String?
    /// `access` only: the mailboxes the person reads, own ones first.
    public let accounts: [String]?
    /// `mail_access` only: `imap`, `smtp`, space separated.
    public let scope: String?
    /// `mail_access` only: the OAuth client it was given to; nil for one that a person or a service asked for itself.
    public let clientID: String?

    private init(
        iss: String, sub: String, jti: String, issuedAt: Int64, lifetime: Duration, type: Kind, sid: String,
        email: String, customerID: Int64?, role: String?, accounts: [String]?, scope: String?,
        clientID: String?
    ) {
        self.iss = iss
        self.aud = type.audience
        self.sub = sub
        self.jti = jti
        self.iat = Double(issuedAt) / 1000
        self.exp = issuedAt / 1000 + lifetime.components.seconds
        self.type = type
        self.sid = sid
        self.email = email
        self.customerID = customerID
        self.role = role
        self.accounts = accounts
        self.scope = scope
        self.clientID = clientID
    }

    /// An `access` token for the REST endpoints.
    ///
    /// - Parameters:
    ///   - issuedAt: Milliseconds since 1970.
    ///   - role: `admin` or `member`.
    public static func access(
        issuer: String, subject: String, jti: String, issuedAt: Int64, lifetime: Duration = .seconds(900),
        family: String, email: String, customerID: Int64, role: String, accounts: [String]
    ) -> AccessToken {
        AccessToken(
            iss: issuer, sub: subject, jti: jti, issuedAt: issuedAt, lifetime: lifetime, type: .access, sid: family,
            email: email, customerID: customerID, role: role, accounts: accounts, scope: nil,
            clientID: nil)
    }

    /// A `mail_access` token for IMAP and SMTP, opening the mailbox `email`.
    ///
    /// - Parameters:
    ///   - issuedAt: Milliseconds since 1970.
    ///   - scope: `imap`, `smtp`, space separated.
    public static func mailAccess(
        issuer: String, subject: String, jti: String, issuedAt: Int64, lifetime: Duration = .seconds(3600),
        family: String, email: String, scope: String = "imap smtp", clientID: String? = nil
    ) -> AccessToken {
        AccessToken(
            iss: issuer, sub: subject, jti: jti, issuedAt: issuedAt, lifetime: lifetime, type: .mailAccess,
            sid: family, email: email, customerID: nil, role: nil, accounts: nil, scope: scope,
            clientID: clientID)
    }

    /// When it was issued, in milliseconds since 1970.
    public var issuedAt: Int64 { Int64((iat * 1000).rounded()) }

    enum CodingKeys: String, CodingKey {
        case iss, aud, sub, jti, iat, exp, type, sid, email, role, accounts, scope
        case customerID = "customer_id"
        case clientID = "client_id"
    }
}
