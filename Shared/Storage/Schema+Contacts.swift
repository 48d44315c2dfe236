import MariaDB

extension Schema {
    /// The address book of each mailbox, and everybody it wrote to or heard from.
    static let contacts: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS contact_books (
          account_id BIGINT NOT NULL PRIMARY KEY,
          version BIGINT NOT NULL DEFAULT 0 COMMENT 'raised by every change; its lock puts writers in line',
          complete_from BIGINT NOT NULL DEFAULT 0 COMMENT 'who knows an older version must read all again',
          sent_uid_validity BIGINT NULL COMMENT 'up to which mail of Sent recipients were gathered',
          sent_uid BIGINT NULL,
          inbox_uid_validity BIGINT NULL COMMENT 'up to which mail of INBOX senders were gathered',
          inbox_uid BIGINT NULL,
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS contacts (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          account_id BIGINT NOT NULL,
          name VARCHAR(200) COLLATE utf8mb4_unicode_ci NOT NULL,
          phones TEXT NOT NULL COMMENT 'one a line',
          organisation VARCHAR(200) COLLATE utf8mb4_unicode_ci NOT NULL,
          note TEXT NOT NULL,
          created_at BIGINT NOT NULL,
          updated_at BIGINT NOT NULL,
          KEY (account_id, name),
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        // An address without contact and affinity was forgotten; it stays, so that others hear of it.
        """
        CREATE TABLE IF NOT EXISTS contact_addresses (
          account_id BIGINT NOT NULL,
          address VARCHAR(320) COLLATE utf8mb4_bin NOT NULL,
          contact_id BIGINT NULL COMMENT 'of the address book',
          position INT NOT NULL DEFAULT 0 COMMENT 'within the contact',
          name VARCHAR(200) COLLATE utf8mb4_unicode_ci NOT NULL DEFAULT '' COMMENT 'as mails have it',
          affinity DOUBLE NULL COMMENT 'log2 of how often and how lately there was mail',
          wrote_at BIGINT NULL COMMENT 'the latest mail to it',
          version BIGINT NOT NULL COMMENT 'of the book, when it was changed last',
          PRIMARY KEY (account_id, address), KEY (account_id, version), KEY (contact_id),
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE,
          FOREIGN KEY (contact_id) REFERENCES contacts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
    ]
}
