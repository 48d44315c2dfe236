import MariaDB

extension Schema {
    /// Who is told of mail events by HTTP, what is still to be told, and how far each mailbox's log was read for it.
    static let webhooks: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS webhooks (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          owner ENUM('platform', 'customer', 'mailbox') NOT NULL,
          customer_id BIGINT NULL COMMENT 'of an owner that is a customer',
          url VARCHAR(2000) NOT NULL,
          secret VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'signs, so it is kept as it is',
          events VARCHAR(255) CHARACTER SET ascii NOT NULL COMMENT 'types, separated by spaces; empty: all',
          is_for_all BOOLEAN NOT NULL COMMENT 'of every mailbox of its owner; else of webhook_accounts',
          status ENUM('active', 'disabled') NOT NULL DEFAULT 'active',
          last_status INT NULL COMMENT 'of HTTP',
          last_error VARCHAR(64) CHARACTER SET ascii NULL,
          last_attempt_at BIGINT NULL,
          created_at BIGINT NOT NULL,
          KEY (customer_id),
          FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS webhook_accounts (
          webhook_id BIGINT NOT NULL,
          account_id BIGINT NOT NULL,
          PRIMARY KEY (webhook_id, account_id), KEY (account_id),
          FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE,
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS webhook_cursors (
          account VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
          event_id VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the last that was taken over'
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS webhook_deliveries (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          webhook_id BIGINT NOT NULL,
          account VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          event_id VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          event_type VARCHAR(64) CHARACTER SET ascii NOT NULL,
          body MEDIUMBLOB NOT NULL,
          attempts INT NOT NULL DEFAULT 0,
          next_at BIGINT NULL COMMENT 'when to try again; with a lease, when that ends; NULL: given up',
          lease BIGINT NULL COMMENT 'random, of who is sending it',
          last_status INT NULL,
          last_error VARCHAR(64) CHARACTER SET ascii NULL,
          created_at BIGINT NOT NULL,
          UNIQUE KEY (webhook_id, account, event_id), KEY (next_at), KEY (webhook_id, next_at, id),
          FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
    ]
}
