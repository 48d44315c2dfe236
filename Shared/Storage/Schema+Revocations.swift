import MariaDB

extension Schema {
    /// A token or session is in the ledger once; grants know when their person proved who it is, app passwords who made
    /// them, refresh tokens what took their place.
    static let revocationsOfGrants: [SQL] = [
        // Of those that are in the ledger more often, the newest stays.
        """
        DELETE r FROM revocations r JOIN revocations newer
          ON newer.kind = r.kind AND newer.value = r.value AND newer.id > r.id
        WHERE r.kind IN ('jti', 'family')
        """,
        """
        ALTER TABLE revocations
          ADD COLUMN IF NOT EXISTS once VARCHAR(330) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
            AS (IF(kind IN ('jti', 'family'), CONCAT(kind, ' ', value), NULL)) PERSISTENT
            COMMENT 'what is dead for good is revoked once'
        """,
        "ALTER TABLE revocations ADD UNIQUE KEY IF NOT EXISTS once (once)",
        """
        ALTER TABLE oauth_codes
          ADD COLUMN IF NOT EXISTS authenticated_at BIGINT NOT NULL DEFAULT 0
            COMMENT 'when the password was shown; a revocation since then ends the grant' AFTER challenge
        """,
        """
        ALTER TABLE device_codes
          ADD COLUMN IF NOT EXISTS authenticated_at BIGINT NOT NULL DEFAULT 0
            COMMENT 'as of oauth_codes' AFTER mailbox,
          ADD COLUMN IF NOT EXISTS network VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT 'what is counted as one place: of IPv6 the first 64 bits' AFTER ip,
          ADD KEY IF NOT EXISTS network (network)
        """,
        """
        ALTER TABLE app_passwords
          ADD COLUMN IF NOT EXISTS created_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT 'user:<id>, account:<id> or service:<id>; it ends with that person' AFTER scope,
          ADD KEY IF NOT EXISTS created_by (created_by)
        """,
        """
        ALTER TABLE refresh_tokens
          ADD COLUMN IF NOT EXISTS successor CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT 'what it was replaced by, while it may be shown once more'
        """,
    ]
}
