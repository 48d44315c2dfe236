import MariaDB

extension Schema {
    /// Up to when the live sessions of what was revoked have been ended, for replicas that start.
    static let kickProgress: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS kick_progress (
          id TINYINT NOT NULL PRIMARY KEY COMMENT 'always 1',
          kicked_until BIGINT NOT NULL COMMENT 'ms since 1970'
        )
        """,
        "INSERT IGNORE INTO kick_progress (id, kicked_until) VALUES (1, 0)",
    ]
}
