import MariaDB
import MailModel

/// Where a session comes from, as its owner will see it in the list.
public struct SessionOrigin: Sendable, Equatable {
    public var ip: String?
    public var userAgent: String?
    /// The OAuth client; nil is a login by the API.
    public var clientID: String?
    /// The mailbox that an OAuth session opens.
    public var mailbox: String?
    /// What an OAuth session may do: `imap`, `smtp`, space-separated.
    public var scope: String?

    public init(
        ip: String? = nil, userAgent: String? = nil, clientID: String? = nil, mailbox: String? = nil,
        scope: String? = nil
    ) {
        self.ip = ip
        self.userAgent = userAgent
        self.clientID = clientID
        self.mailbox = mailbox
        self.scope = scope
    }
}

/// What a session begins with.
public struct SessionOpening: Sendable {
    public let family: String
    /// SHA-256 of the first refresh token.
    public let refreshHash: String
    /// When it was asked for, before its owner was looked at: who was revoked since then does not get it. Milliseconds
    /// since 1970.
    public let issuedAt: Int64
    /// When that token ends unused: milliseconds since 1970.
    public let expiresAt: Int64
    public var origin: SessionOrigin

    public init(family: String, refreshHash: String, issuedAt: Int64, expiresAt: Int64, origin: SessionOrigin) {
        self.family = family
        self.refreshHash = refreshHash
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
        self.origin = origin
    }
}

/// Login sessions: a family of refresh tokens, each used once (RFC 9700 §4.14.2).
public struct SessionStore: Sendable {
    let database: Database

    /// The session of a refresh token that was replaced.
    public struct Rotated: Sendable, Equatable {
        public let family: String
        public let subject: String
        /// The mailbox and the scope of an OAuth session.
        public let mailbox: String?
        public let scope: String?

        public init(family: String, subject: String, mailbox: String?, scope: String?) {
            self.family = family
            self.subject = subject
            self.mailbox = mailbox
            self.scope = scope
        }
    }

    /// What became of a refresh token that was shown.
    public enum Rotation: Sendable, Equatable {
        /// It was the newest of its family and is now replaced.
        case rotated(Rotated)
        /// It had been used before: somebody else holds a copy, and the family must die.
        case reused(family: String)
        /// Unknown, expired, or of a session that was ended or whose owner was revoked since it began.
        case invalid
    }

    /// Opens a session with its first refresh token.
    ///
    /// A subject has at most a hundred sessions: the oldest give way.
    /// - Parameter subject: The `sub` of the tokens (`user:<id>` or `account:<id>`).
    public func open(_ opening: SessionOpening, subject: String) async throws {
        try await database.transaction { tx in try Self.open(opening, subject: subject, in: tx) }
    }

    static func open(_ opening: SessionOpening, subject: String, in tx: Transaction) throws {
        let now = Timestamp.now()
        let origin = opening.origin
        try tx.execute(
            """
            INSERT INTO sessions
              (family, subject, client_id, mailbox, scope, ip, user_agent, created_at, last_used_at)
            VALUES (\(opening.family), \(subject), \(origin.clientID), \(origin.mailbox), \(origin.scope),
              \(origin.ip), \(origin.userAgent.map { String($0.prefix(255)) }), \(opening.issuedAt), \(now))
            """)
        try tx.execute(
            """
            INSERT INTO refresh_tokens (token_hash, family, created_at, expires_at)
            VALUES (\(opening.refreshHash), \(opening.family), \(now), \(opening.expiresAt))
            """)
        try tx.execute(
            """
            UPDATE sessions SET ended_at = \(now) WHERE family IN (SELECT family FROM (
              SELECT family FROM sessions WHERE subject = \(subject) AND ended_at IS NULL
              ORDER BY created_at DESC, family LIMIT 1000 OFFSET 100) AS oldest)
            """)
    }

    /// Replaces a refresh token by its successor, once.
    /// - Parameter clientID: Whose token it must be: of an OAuth client, or (nil) of a login by the API.
    public func rotate(
        _ hash: String, to successor: String, clientID: String?, expiresAt: Int64
    ) async throws -> Rotation {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            let rows = try tx.query(
                """
                SELECT t.family, t.expires_at, t.rotated_at IS NOT NULL AS rotated, s.subject, s.mailbox, s.scope,
                  s.ended_at IS NOT NULL OR EXISTS (
                    SELECT 1 FROM revocations r LEFT JOIN accounts a ON r.kind = 'account' AND r.value = a.email
                    WHERE r.not_before > s.created_at AND r.kind IN ('user', 'account')
                      AND (s.subject = IF(r.kind = 'user', r.value, CONCAT('account:', a.id))
                        OR r.kind = 'account' AND r.value = s.mailbox)) AS ended
                FROM refresh_tokens t JOIN sessions s ON s.family = t.family WHERE t.token_hash = \(hash)
                  AND s.client_id <=> \(clientID) FOR UPDATE
                """)
            guard let row = rows.first else { return .invalid }
            let family = try row.string("family")
            if try row.bool("rotated") { return .reused(family: family) }
            guard try !row.bool("ended"), try row.int64("expires_at") > now else { return .invalid }
            try tx.execute("UPDATE refresh_tokens SET rotated_at = \(now) WHERE token_hash = \(hash)")
            try tx.execute(
                """
                INSERT INTO refresh_tokens (token_hash, family, created_at, expires_at)
                VALUES (\(successor), \(family), \(now), \(expiresAt))
                """)
            try tx.execute("UPDATE sessions SET last_used_at = \(now) WHERE family = \(family)")
            return .rotated(
                Rotated(
                    family: family, subject: try row.string("subject"), mailbox: try row.optionalString("mailbox"),
                    scope: try row.optionalString("scope")))
        }
    }

    /// The family a refresh token belongs to, also when it was used already.
    public func family(ofRefreshToken hash: String) async throws -> String? {
        try await database.query("SELECT family FROM refresh_tokens WHERE token_hash = \(hash)").first?.string("family")
    }

    /// Forgets sessions that can never be used again.
    public func purgeExpired() async throws {
        let now = Timestamp.now()
        try await database.execute("DELETE FROM refresh_tokens WHERE expires_at < \(now)")
        try await database.execute(
            "DELETE FROM sessions WHERE NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family = sessions.family)")
    }
}
