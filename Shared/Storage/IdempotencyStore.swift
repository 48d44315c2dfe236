import MariaDB
public import MailModel

/// Which idempotency keys were used, and what was answered.
public struct IdempotencyStore: Sendable {
    let database: Database

    /// How long a key stands for its answer: milliseconds.
    public static let lifetime: Int64 = 24 * 3600 * 1000

    /// What a call with a key is to do.
    public enum Outcome: Sendable, Equatable {
        /// Run: nobody else does.
        case run(IdempotencyClaim)
        /// Say again what was said.
        case replay(status: Int, answer: [UInt8])
    }

    /// Takes the key for one call.
    ///
    /// - Parameters:
    ///   - requestHash: Differs for another request.
    ///   - duration: For how long the call may run, in milliseconds; then another may take the key over.
    ///   - isRunning: Whether the call with that token runs in this process.
    /// - Throws: `Failure` `idempotency_in_progress` while another call holds the key, `idempotency_key_reused` for
    ///   another request.
    public func claim(
        keyHash: String, requestHash: String, duration: Int64, isRunning: @escaping @Sendable (Int64) -> Bool
    ) async throws -> Outcome {
        let token = Int64.random(in: 1...Int64.max)
        return try await database.transaction { tx in
            let now = Timestamp.now()
            // Not IGNORE, which would lock a row that is there for reading: two calls that then read it for an update
            // would wait for each other.
            let fresh: SQL = """
                INSERT INTO idempotency_keys (key_hash, request_hash, token, created_at, claimed_until)
                VALUES (\(keyHash), \(requestHash), \(token), \(now), \(now + duration))
                ON DUPLICATE KEY UPDATE key_hash = key_hash
                """
            try tx.execute(fresh)
            let found = try tx.query("SELECT * FROM idempotency_keys WHERE key_hash = \(keyHash) FOR UPDATE")
            guard let row = found.first else { throw IdempotencyClaim.inProgress }
            if try row.int64("token") == token { return .run(IdempotencyClaim(keyHash: keyHash, token: token)) }
            let made = try row.optionalInt64("made")
            if try row.int64("created_at") > now - Self.lifetime {
                guard try row.string("request_hash") == requestHash else { throw IdempotencyClaim.reused }
                if let status = try row.optionalInt("status") {
                    return .replay(status: status, answer: try row.optionalBytes("answer") ?? [])
                }
                if isRunning(try row.int64("token")) { throw IdempotencyClaim.inProgress }
                // What was made tells the rest, whether the call that made it still runs somewhere or died.
                if made != nil { return .run(IdempotencyClaim(keyHash: keyHash, token: token, made: made)) }
                guard try row.int64("claimed_until") <= now else { throw IdempotencyClaim.inProgress }
            }
            try tx.execute(
                """
                UPDATE idempotency_keys SET request_hash = \(requestHash), token = \(token), created_at = \(now),
                  claimed_until = \(now + duration), status = NULL, answer = NULL, made = NULL
                WHERE key_hash = \(keyHash)
                """)
            return .run(IdempotencyClaim(keyHash: keyHash, token: token))
        }
    }

    /// Keeps the answer for the next call with the key.
    public func finish(_ claim: IdempotencyClaim, status: Int, answer: [UInt8]) async throws {
        try await database.execute(
            """
            UPDATE idempotency_keys SET status = \(status), answer = \(answer)
            WHERE key_hash = \(claim.keyHash) AND token = \(claim.token)
            """)
    }

    /// Lets go of a key whose call changed nothing.
    public func release(_ claim: IdempotencyClaim) async throws {
        try await database.execute(
            """
            DELETE FROM idempotency_keys
            WHERE key_hash = \(claim.keyHash) AND token = \(claim.token) AND status IS NULL AND made IS NULL
            """)
    }

    /// Forgets some of the keys that stand for nothing any more.
    ///
    /// - Returns: Whether there are more.
    public func removeExpired() async throws -> Bool {
        try await database.execute(
            "DELETE FROM idempotency_keys WHERE created_at <= \(Timestamp.now() - Self.lifetime) LIMIT 1000"
        ).affectedRows == 1000
    }

    /// Notes what a call made, in the transaction that makes it.
    ///
    /// - Throws: `Failure` `idempotency_in_progress` when the key has been taken over meanwhile.
    static func note(_ made: Int64, by claim: IdempotencyClaim, in tx: Transaction) throws {
        let outcome = try tx.execute(
            """
            UPDATE idempotency_keys SET made = \(made)
            WHERE key_hash = \(claim.keyHash) AND token = \(claim.token) AND made IS NULL
            """)
        guard outcome.affectedRows == 1 else { throw IdempotencyClaim.inProgress }
    }
}
