import MariaDB

extension Schema {
    static let signatures: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS signatures (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          account_id BIGINT NOT NULL,
          name VARCHAR(200) NOT NULL,
          html MEDIUMTEXT NOT NULL COMMENT 'sanitised',
          plain MEDIUMTEXT NOT NULL,
          is_default BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'of one of a mailbox at most',
          rules TEXT NOT NULL COMMENT 'one a line: type, space, value',
          created_at BIGINT NOT NULL,
          updated_at BIGINT NOT NULL,
          KEY (account_id),
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """
    ]
}
