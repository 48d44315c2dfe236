import MailModel
import MariaDB

extension RevocationStore {
    /// The moment up to which some replica has ended the live sessions of all that was revoked: milliseconds since 1970,
    /// 0 when there was none yet.
    public func kickedUntil() async throws -> Int64 {
        try await database.query("SELECT kicked_until FROM kick_progress WHERE id = 1").first?.int64("kicked_until")
            ?? 0
    }

    /// Notes such a moment; one that is earlier than what is known changes nothing, unless that is yet to come: a clock
    /// was wrong.
    public func noteKicked(until moment: Int64) async throws {
        let now = Timestamp.now()
        try await database.execute(
            """
            UPDATE kick_progress SET kicked_until = \(moment)
            WHERE id = 1 AND (kicked_until < \(moment) OR kicked_until > \(now))
            """)
    }
}
