import MariaDB
import MailModel

/// The signing keys of all replicas; the private keys are sealed before they come here.
public struct SigningKeyStore: Sendable {
    let database: Database

    public struct Key: Sendable, Equatable {
        public let kid: String
        public let sealed: [UInt8]
        /// Milliseconds since 1970.
        public let createdAt: Int64
        /// When it begins to sign; until then it is only published.
        public let activeFrom: Int64

        public init(kid: String, sealed: [UInt8], createdAt: Int64, activeFrom: Int64) {
            self.kid = kid
            self.sealed = sealed
            self.createdAt = createdAt
            self.activeFrom = activeFrom
        }
    }

    /// Every key, the one that signs now first.
    public func all() async throws -> [Key] {
        let now = Timestamp.now()
        return try await database.query(
            """
            SELECT kid, sealed_key, created_at, active_from FROM signing_keys
            ORDER BY active_from > \(now), COALESCE(retired_at <= \(now), FALSE), active_from DESC, created_at DESC, kid
            """
        ).map {
            Key(
                kid: try $0.string("kid"), sealed: try $0.bytes("sealed_key"), createdAt: try $0.int64("created_at"),
                activeFrom: try $0.int64("active_from"))
        }
    }

    /// Lets `key` sign from its time on, and the ones that do until then, unless the newest was made at or after
    /// `horizon`: of replicas that want to rotate at the same time one does it.
    ///
    /// - Parameter horizon: Milliseconds since 1970.
    /// - Returns: Whether it was taken.
    public func rotate(to key: Key, ifOlderThan horizon: Int64) async throws -> Bool {
        try await database.locked("xynap_mail_signing_keys", timeout: .seconds(5)) { connection in
            let newest = try connection.query(
                "SELECT COALESCE(MAX(created_at), 0) AS created_at FROM signing_keys WHERE retired_at IS NULL")
            guard try newest.first?.int64("created_at") ?? 0 < horizon else { return false }
            // First the new one: a crash between the two leaves two that sign, never none.
            try connection.execute(
                """
                INSERT INTO signing_keys (kid, sealed_key, created_at, active_from)
                VALUES (\(key.kid), \(key.sealed), \(key.createdAt), \(key.activeFrom))
                """)
            try connection.execute(
                """
                UPDATE signing_keys SET retired_at = \(key.activeFrom)
                WHERE (retired_at IS NULL OR retired_at > \(key.activeFrom)) AND kid <> \(key.kid)
                """)
            return true
        }
    }

    /// Forgets keys whose last token is dead.
    /// - Parameter horizon: Those retired before, in milliseconds since 1970, go.
    public func purge(retiredBefore horizon: Int64) async throws {
        try await database.execute("DELETE FROM signing_keys WHERE retired_at < \(horizon)")
    }
}
