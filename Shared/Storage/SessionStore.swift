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
    public internal(set) var issuedAt: Int64
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
        /// Nothing of what is wanted was granted; the token is as good as before.
        case outOfScope
        /// Unknown, expired, or of a session that was ended or whose owner was revoked since it began.
        case invalid
    }

    /// Opens a session with its first refresh token.
    ///
    /// A subject has at most a hundred sessions: the oldest give way, with their tokens. The live mail sessions stay:
    /// nobody is to be thrown out by a program that logs in again and again.
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
              \(origin.ip), \(origin.userAgent?.prefix(scalars: 255)), \(opening.issuedAt), \(now))
            """)
        try tx.execute(
            """
            INSERT INTO refresh_tokens (token_hash, family, created_at, expires_at)
            VALUES (\(opening.refreshHash), \(opening.family), \(now), \(opening.expiresAt))
            """)
        let oldest = try tx.query(
            """
            SELECT family FROM sessions WHERE subject = \(subject) AND ended_at IS NULL
            ORDER BY created_at DESC, family LIMIT 1000 OFFSET 100
            """)
        // Nobody waits for them to be announced: the feeds find them in the ledger.
        for row in oldest { try RevocationStore.end(family: try row.string("family"), in: tx) }
    }

    /// Who shows a refresh token, and what for.
    public struct Showing: Sendable {
        /// SHA-256 of the token.
        public let hash: String
        /// Whose token it must be: of an OAuth client, or (nil) of a login by the API.
        public let clientID: String?
        /// What it is to do (`imap`, `smtp`); nil for all that was granted.
        public let wanted: Set<String>?
        /// For how long a token that was replaced may be shown once more, if its successor was not: its answer may have
        /// been lost on the way.
        public let retryWindow: Duration

        public init(hash: String, clientID: String?, wanted: Set<String>? = nil, retryWindow: Duration = .zero) {
            self.hash = hash
            self.clientID = clientID
            self.wanted = wanted
            self.retryWindow = retryWindow
        }
    }

    /// What `rotate` would answer, without replacing the token: so that whatever else can fail fails before.
    public func standing(of showing: Showing) async throws -> Rotation {
        try await database.transaction { tx in try Self.standing(of: showing, in: tx).rotation }
    }

    /// Replaces a refresh token by its successor, once.
    public func rotate(_ showing: Showing, to successor: String, expiresAt: Int64) async throws -> Rotation {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            let (rotation, lost) = try Self.standing(of: showing, in: tx)
            guard case .rotated(let session) = rotation else { return rotation }
            if let lost {
                // Should it turn up after all, somebody has a copy.
                try tx.execute(
                    """
                    UPDATE refresh_tokens SET rotated_at = \(now), successor = NULL
                    WHERE token_hash IN (\(list: [showing.hash, lost]))
                    """)
            } else {
                try tx.execute(
                    """
                    UPDATE refresh_tokens SET rotated_at = \(now), successor = \(successor)
                    WHERE token_hash = \(showing.hash)
                    """)
            }
            try tx.execute(
                """
                INSERT INTO refresh_tokens (token_hash, family, created_at, expires_at)
                VALUES (\(successor), \(session.family), \(now), \(expiresAt))
                """)
            try tx.execute("UPDATE sessions SET last_used_at = \(now) WHERE family = \(session.family)")
            return rotation
        }
    }

    /// - Returns: The answer, and of a token that is shown once more the successor that did not arrive.
    private static func standing(
        of showing: Showing, in tx: Transaction
    ) throws -> (rotation: Rotation, lost: String?) {
        let now = Timestamp.now()
        let revoked = RevocationStore.isRevoked(subject: "s.subject", mailbox: "s.mailbox", since: "s.created_at")
        let rows = try tx.query(
            """
            SELECT t.family, t.expires_at, t.rotated_at, s.subject, s.mailbox, s.scope,
              s.ended_at IS NOT NULL OR \(revoked) AS ended,
              (SELECT n.token_hash FROM refresh_tokens n WHERE n.token_hash = t.successor AND n.rotated_at IS NULL)
                AS unused
            FROM refresh_tokens t JOIN sessions s ON s.family = t.family WHERE t.token_hash = \(showing.hash)
              AND s.client_id <=> \(showing.clientID) FOR UPDATE
            """)
        // What is over cannot be ended again, whoever shows it.
        guard let row = rows.first, try !row.bool("ended") else { return (.invalid, nil) }
        let family = try row.string("family")
        var lost: String?
        if let rotatedAt = try row.optionalInt64("rotated_at") {
            lost = try row.optionalString("unused")
            let window = showing.retryWindow.components.seconds * 1000
            guard lost != nil, now - rotatedAt < window else { return (.reused(family: family), nil) }
        }
        guard try row.int64("expires_at") > now else { return (.invalid, nil) }
        let scope = try row.optionalString("scope")
        if let wanted = showing.wanted, let scope, wanted.isDisjoint(with: scope.split(separator: " ").map(String.init))
        {
            return (.outOfScope, nil)
        }
        return (
            .rotated(
                Rotated(
                    family: family, subject: try row.string("subject"), mailbox: try row.optionalString("mailbox"),
                    scope: scope)), lost
        )
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
