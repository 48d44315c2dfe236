import MariaDB

extension Schema {
    /// What a domain's mailboxes hold together, summed from an index: Dovecot counts each mailbox, and a page of domains
    /// would else look up every one of them.
    static let usageByDomain: [SQL] = [
        """
        ALTER TABLE mailbox_usage
          ADD COLUMN IF NOT EXISTS domain VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
            GENERATED ALWAYS AS (SUBSTRING_INDEX(username, '@', -1)) STORED,
          ADD KEY IF NOT EXISTS domain (domain, bytes)
        """
    ]
}
