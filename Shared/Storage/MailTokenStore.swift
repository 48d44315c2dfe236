import MariaDB
import MailModel

/// Which mail token opened which mailbox: the end of a session or of a person must reach the live connections of all of
/// them. The tokens themselves are not kept.
public struct MailTokenStore: Sendable {
    let database: Database

    /// - Parameters:
    ///   - family: The session it descends from; empty for a service token.
    ///   - issuedAt: As `expiresAt`, milliseconds since 1970.
    public func record(
        jti: String, family: String, subject: String, email: String, issuedAt: Int64, expiresAt: Int64
    ) async throws {
        try await database.execute(
            """
            INSERT INTO mail_tokens (jti, family, subject, email, issued_at, expires_at) VALUES
            (\(jti), \(family), \(subject), \(email), \(issuedAt), \(expiresAt))
            """)
    }

    /// Forgets what expired a week ago: a connection opened with it is hardly alive any more.
    public func purge() async throws {
        try await database.execute("DELETE FROM mail_tokens WHERE expires_at < \(Timestamp.now() - 7 * 86_400_000)")
    }
}
