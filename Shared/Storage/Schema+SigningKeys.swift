import MariaDB

extension Schema {
    /// A signing key is published before it signs; a service token that was deleted stays away.
    static let keysAndTombstones: [SQL] = [
        """
        ALTER TABLE signing_keys
          ADD COLUMN IF NOT EXISTS active_from BIGINT NOT NULL DEFAULT 0
            COMMENT 'signs since then; whoever verifies has heard of it by then' AFTER created_at
        """,
        """
        CREATE TABLE IF NOT EXISTS deleted_service_tokens (
          token_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'SHA-256',
          deleted_at BIGINT NOT NULL
        ) CHARACTER SET utf8mb4 COMMENT 'not to be made again from a secret file that still has them'
        """,
    ]
}
