import MariaDB

extension Schema {
    /// Domains that are deleted with a grace time, signed with several keys, or stand for others; mailboxes that move and
    /// end likewise; limits of customers; who may send as whom. And views that answer by an index however many there are.
    static let hosting: [SQL] = domains + accounts + totals + hostingViews

    private static let domains: [SQL] = [
        """
        ALTER TABLE domains
          ADD COLUMN IF NOT EXISTS dns_mode ENUM('automatic', 'manual') NOT NULL DEFAULT 'automatic' AFTER dkim_public_key,
          ADD COLUMN IF NOT EXISTS dns_version INT NOT NULL DEFAULT 0
            COMMENT 'counts what changed the wanted records; an outcome for an older one says nothing' AFTER dns_status,
          ADD COLUMN IF NOT EXISTS dns_detail VARCHAR(500) NULL COMMENT 'why it is not ok, for a person' AFTER dns_checked_at,
          ADD COLUMN IF NOT EXISTS alias_of BIGINT NULL COMMENT 'the domain whose mailboxes it leads to' AFTER customer_id,
          ADD COLUMN IF NOT EXISTS client_login ENUM('password', 'oauth2') NOT NULL DEFAULT 'password'
            COMMENT 'what mail programs are told to try first' AFTER status,
          ADD COLUMN IF NOT EXISTS deleted_at BIGINT NULL,
          ADD COLUMN IF NOT EXISTS purge_at BIGINT NULL COMMENT 'gone for good from then on',
          ADD KEY IF NOT EXISTS purge_at (purge_at), ADD KEY IF NOT EXISTS alias_of (alias_of)
        """,
        """
        CREATE TABLE IF NOT EXISTS dkim_keys (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          domain_id BIGINT NOT NULL,
          selector VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          algorithm ENUM('rsa', 'ed25519') NOT NULL,
          public_key TEXT CHARACTER SET ascii NOT NULL COMMENT 'the p= of its record (RFC 6376, RFC 8463)',
          state ENUM('published', 'active', 'retired', 'withdrawn') NOT NULL
            COMMENT 'in the DNS; signs; no more, but still verifies; its record is to go',
          created_at BIGINT NOT NULL,
          retired_at BIGINT NULL,
          UNIQUE KEY (domain_id, selector), KEY (state),
          FOREIGN KEY (domain_id) REFERENCES domains (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        """
        INSERT IGNORE INTO dkim_keys (domain_id, selector, algorithm, public_key, state, created_at)
        SELECT id, dkim_selector, 'rsa', dkim_public_key, 'active', created_at FROM domains
        """,
        """
        CREATE TABLE IF NOT EXISTS customer_limits (
          customer_id BIGINT NOT NULL PRIMARY KEY,
          domains BIGINT NULL, accounts BIGINT NULL, quota_mb BIGINT NULL COMMENT 'of all mailboxes together',
          FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE
        ) COMMENT 'NULL is no limit'
        """,
    ]

    private static let accounts: [SQL] = [
        """
        ALTER TABLE accounts
          ADD COLUMN IF NOT EXISTS send_limit INT NULL COMMENT 'recipients an hour; NULL is the platform''s' AFTER quota_mb,
          ADD COLUMN IF NOT EXISTS home VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
            COMMENT 'below the mail store; NULL is <domain>/<local part>' AFTER email,
          ADD COLUMN IF NOT EXISTS is_moving BOOLEAN NOT NULL DEFAULT FALSE
            COMMENT 'its home is on its way to where its address says: it takes no mail and no login for a moment' AFTER home,
          ADD COLUMN IF NOT EXISTS deleted_at BIGINT NULL,
          ADD COLUMN IF NOT EXISTS purge_at BIGINT NULL COMMENT 'gone for good from then on',
          ADD KEY IF NOT EXISTS purge_at (purge_at), ADD KEY IF NOT EXISTS is_moving (is_moving),
          ADD KEY IF NOT EXISTS by_address (domain_id, deleted_at, email),
          ADD KEY IF NOT EXISTS by_age (domain_id, deleted_at, id)
        """,
        """
        ALTER TABLE aliases
          ADD COLUMN IF NOT EXISTS send_as BOOLEAN NOT NULL DEFAULT TRUE
            COMMENT 'whether who receives through it may also send as it' AFTER source
        """,
        "ALTER TABLE alias_destinations ADD KEY IF NOT EXISTS destination (destination)",
        """
        CREATE TABLE IF NOT EXISTS send_as (
          account_id BIGINT NOT NULL,
          local_part VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          domain VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          PRIMARY KEY (account_id, domain, local_part), KEY (domain, local_part),
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4 COMMENT 'addresses a mailbox may send as without receiving for them'
        """,
        // Written by Dovecot (last_login), read by the API.
        """
        CREATE TABLE IF NOT EXISTS mailbox_logins (
          username VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
          last_login BIGINT NOT NULL DEFAULT 0 COMMENT 'seconds since 1970'
        ) CHARACTER SET utf8mb4
        """,
    ]

    private static let totals: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS domain_totals (
          domain_id BIGINT NOT NULL PRIMARY KEY,
          accounts BIGINT NOT NULL DEFAULT 0, aliases BIGINT NOT NULL DEFAULT 0, quota_mb BIGINT NOT NULL DEFAULT 0,
          FOREIGN KEY (domain_id) REFERENCES domains (id) ON DELETE CASCADE
        ) COMMENT 'kept by the statements that change them, so that nobody counts a million'
        """,
        DomainTotals.recount(where: "TRUE"),
    ]

    private static let hostingViews: [SQL] = [
        """
        CREATE OR REPLACE VIEW dovecot_users AS
        SELECT a.email, SUBSTRING_INDEX(a.email, '@', 1) AS local_part, d.domain, a.password_hash AS password,
               a.quota_mb, a.status = 'active' AND d.status <> 'suspended' AND c.status = 'active'
                 AND a.deleted_at IS NULL AND d.deleted_at IS NULL AS active,
               NOT EXISTS (
                 SELECT 1 FROM totp_secrets t
                 WHERE t.subject = CONCAT('account:', a.id) AND t.confirmed_at IS NOT NULL) AS password_login,
               COALESCE(a.home, CONCAT(d.domain, '/', SUBSTRING_INDEX(a.email, '@', 1))) AS home
        FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
        WHERE a.is_moving = FALSE
          AND (a.purge_at IS NULL OR a.purge_at > UNIX_TIMESTAMP() * 1000)
          AND (d.purge_at IS NULL OR d.purge_at > UNIX_TIMESTAMP() * 1000)
        """,
        "CREATE OR REPLACE VIEW postfix_domains AS SELECT domain FROM domains WHERE deleted_at IS NULL",
        """
        CREATE OR REPLACE VIEW postfix_mailboxes AS
        SELECT a.email FROM accounts a JOIN domains d ON d.id = a.domain_id
        WHERE a.deleted_at IS NULL AND d.deleted_at IS NULL
        """,
        """
        CREATE OR REPLACE VIEW postfix_aliases AS
        SELECT CONCAT(IF(s.source = '*', '', s.source), '@', d.domain) AS source_email, t.destination,
               s.source AS local_part, d.domain
        FROM aliases s JOIN domains d ON d.id = s.domain_id JOIN alias_destinations t ON t.alias_id = s.id
        WHERE d.deleted_at IS NULL
        """,
        """
        CREATE OR REPLACE VIEW postfix_domain_aliases AS
        SELECT x.domain, d.domain AS target FROM domains x JOIN domains d ON d.id = x.alias_of
        WHERE x.deleted_at IS NULL AND d.deleted_at IS NULL
        """,
        // Which address a login may send as: its own, also at domains that stand for its own, aliases that lead to it if
        // they allow it, and what it was given. Postfix asks by local part and domain.
        """
        CREATE OR REPLACE VIEW postfix_senders AS
        SELECT email AS sender, email AS login, NULL AS local_part, NULL AS domain FROM accounts
        UNION ALL
        SELECT CONCAT(SUBSTRING_INDEX(a.email, '@', 1), '@', x.domain), a.email, NULL, NULL
        FROM accounts a JOIN domains x ON x.alias_of = a.domain_id WHERE x.deleted_at IS NULL
        UNION ALL
        SELECT CONCAT(s.source, '@', d.domain), t.destination, s.source, d.domain
        FROM aliases s JOIN domains d ON d.id = s.domain_id JOIN alias_destinations t ON t.alias_id = s.id
        WHERE s.source <> '*' AND s.send_as AND d.deleted_at IS NULL
        UNION ALL
        SELECT CONCAT(g.local_part, '@', g.domain), a.email, g.local_part, g.domain
        FROM send_as g JOIN accounts a ON a.id = g.account_id
        """,
    ]
}
