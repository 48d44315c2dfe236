import MariaDB
import MailModel

/// Login sessions: a family of refresh tokens, each used once (RFC 9700 §4.14.2).
public struct SessionStore: Sendable {
    let database: Database

    /// What became of a refresh token that was shown.
    public enum Rotation: Sendable, Equatable {
        /// It was the newest of its family and is now replaced.
        case rotated(family: String, subject: String)
        /// It had been used before: somebody else holds a copy, and the family must die.
        case reused(family: String)
        /// Unknown, expired, or of a session that was ended or whose owner was revoked since it began.
        case invalid
    }

    /// Opens a session with its first refresh token.
    /// - Parameters:
    ///   - subject: The `sub` of the tokens (`user:<id>` or `account:<id>`).
    ///   - expiresAt: Milliseconds since 1970.
    public func open(family: String, subject: String, refreshHash: String, expiresAt: Int64) async throws {
        let now = Timestamp.now()
        try await database.transaction { tx in
            try tx.execute(
                "INSERT INTO sessions (family, subject, created_at) VALUES (\(family), \(subject), \(now))")
            try tx.execute(
                """
                INSERT INTO refresh_tokens (token_hash, family, created_at, expires_at)
                VALUES (\(refreshHash), \(family), \(now), \(expiresAt))
                """)
        }
    }

    /// Replaces a refresh token by its successor, once.
    public func rotate(_ hash: String, to successor: String, expiresAt: Int64) async throws -> Rotation {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            let rows = try tx.query(
                """
                SELECT t.family, t.expires_at, t.rotated_at IS NOT NULL AS rotated, s.subject,
                  s.ended_at IS NOT NULL OR EXISTS (
                    SELECT 1 FROM revocations r LEFT JOIN accounts a ON r.kind = 'account' AND r.value = a.email
                    WHERE r.not_before > s.created_at AND r.kind IN ('user', 'account')
                      AND s.subject = IF(r.kind = 'user', r.value, CONCAT('account:', a.id))) AS ended
                FROM refresh_tokens t JOIN sessions s ON s.family = t.family WHERE t.token_hash = \(hash) FOR UPDATE
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
            return .rotated(family: family, subject: try row.string("subject"))
        }
    }

    /// The family a refresh token belongs to, also when it was used already.
    public func family(ofRefreshToken hash: String) async throws -> String? {
        try await database.query("SELECT family FROM refresh_tokens WHERE token_hash = \(hash)").first?.string("family")
    }

    /// Ends a session: none of its refresh tokens counts any more.
    public func end(family: String) async throws {
        try await database.execute(
            "UPDATE sessions SET ended_at = \(Timestamp.now()) WHERE family = \(family) AND ended_at IS NULL")
    }

    /// Forgets sessions that can never be used again.
    public func purgeExpired() async throws {
        let now = Timestamp.now()
        try await database.execute("DELETE FROM refresh_tokens WHERE expires_at < \(now)")
        try await database.execute(
            "DELETE FROM sessions WHERE NOT EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family = sessions.family)")
    }
}
