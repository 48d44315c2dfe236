import MariaDB
import MailModel

/// Secrets of authenticator apps, sealed, and the hashes of recovery codes.
public struct SecondFactorStore: Sendable {
    let database: Database

    public struct Secret: Sendable, Equatable {
        public let sealed: [UInt8]
        /// Asked for at login only once a first code has confirmed it.
        public let isConfirmed: Bool
    }

    /// - Parameter subject: `user:<id>` or `account:<id>`.
    public func secret(of subject: String) async throws -> Secret? {
        let rows = try await database.query(
            """
            SELECT sealed_secret, confirmed_at IS NOT NULL AS confirmed FROM totp_secrets WHERE subject = \(subject)
            """)
        return try rows.first.map {
            Secret(sealed: try $0.bytes("sealed_secret"), isConfirmed: try $0.bool("confirmed"))
        }
    }

    /// Keeps a secret that waits to be confirmed.
    /// - Returns: False when a confirmed one is there, which stays.
    public func begin(_ subject: String, sealed: [UInt8]) async throws -> Bool {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            try tx.execute("DELETE FROM totp_secrets WHERE subject = \(subject) AND confirmed_at IS NULL")
            return try tx.execute(
                """
                INSERT IGNORE INTO totp_secrets (subject, sealed_secret, created_at)
                VALUES (\(subject), \(sealed), \(now))
                """
            ).affectedRows == 1
        }
    }

    /// Confirms the secret with the step of the code shown, and replaces the recovery codes.
    /// - Parameter moment: Milliseconds since 1970; a secret that is older does not count.
    /// - Returns: False when there was nothing to confirm.
    public func confirm(
        _ subject: String, step: Int64, recoveryHashes: [String], begunAfter moment: Int64
    ) async throws -> Bool {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            let outcome = try tx.execute(
                """
                UPDATE totp_secrets SET confirmed_at = \(now), last_step = \(step)
                WHERE subject = \(subject) AND confirmed_at IS NULL AND created_at > \(moment)
                """)
            guard outcome.affectedRows == 1 else { return false }
            try Self.replaceRecoveryCodes(subject, recoveryHashes, in: tx)
            return true
        }
    }

    /// Uses a step up: each counts once, however many replicas are asked at the same time (RFC 6238 §5.2).
    public func use(step: Int64, of subject: String) async throws -> Bool {
        try await database.execute(
            "UPDATE totp_secrets SET last_step = \(step) WHERE subject = \(subject) AND last_step < \(step)"
        ).affectedRows == 1
    }

    /// Uses a recovery code up.
    public func use(recoveryHash: String, of subject: String) async throws -> Bool {
        try await database.execute(
            """
            UPDATE recovery_codes SET used_at = \(Timestamp.now())
            WHERE subject = \(subject) AND code_hash = \(recoveryHash) AND used_at IS NULL
            """
        ).affectedRows == 1
    }

    public func replaceRecoveryCodes(_ subject: String, hashes: [String]) async throws {
        try await database.transaction { tx in try Self.replaceRecoveryCodes(subject, hashes, in: tx) }
    }

    /// How many recovery codes are left.
    public func recoveryCodesLeft(of subject: String) async throws -> Int {
        try await database.query(
            "SELECT COUNT(*) AS n FROM recovery_codes WHERE subject = \(subject) AND used_at IS NULL"
        ).first?.int("n") ?? 0
    }

    public func remove(_ subject: String) async throws {
        try await database.transaction { tx in
            try tx.execute("DELETE FROM totp_secrets WHERE subject = \(subject)")
            try tx.execute("DELETE FROM recovery_codes WHERE subject = \(subject)")
        }
    }

    /// Turns the factor of somebody off who has lost it, on record.
    /// - Returns: False when there was none.
    public func reset(
        _ subject: String, email: String, customerID: Int64, by origin: AuditStore.Origin
    ) async throws -> Bool {
        try await database.transaction { tx in
            let removed = try tx.execute("DELETE FROM totp_secrets WHERE subject = \(subject)").affectedRows
            try tx.execute("DELETE FROM recovery_codes WHERE subject = \(subject)")
            guard removed > 0 else { return false }
            try AuditStore.record(origin.event("totp.reset", target: email, customerID: customerID), in: tx)
            return true
        }
    }

    private static func replaceRecoveryCodes(_ subject: String, _ hashes: [String], in tx: Transaction) throws {
        try tx.execute("DELETE FROM recovery_codes WHERE subject = \(subject)")
        for hash in hashes {
            try tx.execute("INSERT INTO recovery_codes (subject, code_hash) VALUES (\(subject), \(hash))")
        }
    }
}
