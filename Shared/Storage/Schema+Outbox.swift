import MariaDB

extension Schema {
    /// Messages on their way out, uploaded attachments, and the answers that idempotency keys stand for.
    static let outboxAndUploads: [SQL] = outbox + uploads + idempotency

    private static let outbox: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS outbox (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          mailbox VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          sender VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'of the envelope',
          message_id VARCHAR(998) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'without brackets',
          subject TEXT NOT NULL,
          size BIGINT NOT NULL COMMENT 'of the RFC 5322 message, bytes',
          is_8bit BOOLEAN NOT NULL,
          is_utf8 BOOLEAN NOT NULL COMMENT 'its headers are (RFC 6532)',
          recipients MEDIUMTEXT NOT NULL COMMENT 'JSON: address, state, code, message',
          filing_plan MEDIUMTEXT NOT NULL COMMENT 'JSON: what is to be done in the mailbox after acceptance',
          state ENUM('composing', 'queued', 'submitting', 'sent', 'failed', 'stopped') NOT NULL,
          filing ENUM('none', 'due', 'done') NOT NULL DEFAULT 'none' COMMENT 'due since a recipient was accepted',
          attempts INT NOT NULL DEFAULT 0,
          filing_attempts INT NOT NULL DEFAULT 0,
          created_at BIGINT NOT NULL,
          send_at BIGINT NULL COMMENT 'not before',
          next_at BIGINT NULL COMMENT 'when to look again; with a lease, when that ends; NULL: nothing to do',
          lease BIGINT NULL COMMENT 'random, of who works on it',
          is_server_away BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'waits for the submission server to return',
          is_doubtful BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'the server may have taken it unseen by us',
          error_code VARCHAR(64) CHARACTER SET ascii NULL,
          error_message TEXT NULL,
          sent_folder TEXT NULL,
          sent_uid BIGINT NULL,
          done_at BIGINT NULL,
          KEY (next_at), KEY (mailbox, id), KEY (state, done_at)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS outbox_chunks (
          outbox_id BIGINT NOT NULL,
          position INT NOT NULL,
          bytes MEDIUMBLOB NOT NULL,
          PRIMARY KEY (outbox_id, position),
          FOREIGN KEY (outbox_id) REFERENCES outbox (id) ON DELETE CASCADE
        )
        """,
    ]

    private static let uploads: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS uploads (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          mailbox VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          filename VARCHAR(255) NOT NULL,
          content_type VARCHAR(255) NOT NULL,
          size BIGINT NULL COMMENT 'bytes; NULL until it is whole',
          created_at BIGINT NOT NULL,
          expires_at BIGINT NOT NULL,
          KEY (mailbox), KEY (expires_at)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS upload_chunks (
          upload_id BIGINT NOT NULL,
          position INT NOT NULL,
          bytes MEDIUMBLOB NOT NULL,
          PRIMARY KEY (upload_id, position),
          FOREIGN KEY (upload_id) REFERENCES uploads (id) ON DELETE CASCADE
        )
        """,
    ]

    private static let idempotency: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS idempotency_keys (
          key_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY
            COMMENT 'SHA-256 of caller, route and key',
          request_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'HMAC under the key',
          token BIGINT NOT NULL COMMENT 'of the call that runs',
          created_at BIGINT NOT NULL,
          claimed_until BIGINT NOT NULL,
          status INT NULL COMMENT 'of the answer, once there is one',
          answer MEDIUMBLOB NULL COMMENT 'sealed under the key',
          made BIGINT NULL COMMENT 'what the call made, from which it is answered again',
          KEY (created_at)
        )
        """
    ]
}
