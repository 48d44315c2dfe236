import MariaDB
import MailModel

extension Database {
    /// Brings the schema up to date; any service may call it at start, one at a time gets to do it.
    ///
    /// Statements of a migration are safe to run again, since MariaDB commits each DDL statement by itself: one that was
    /// killed half-way is simply done from its beginning. A migration once released is never edited.
    public func migrate() async throws {
        try await locked("xynap_mail_migrations", timeout: .seconds(50)) { connection in
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_migrations (
                  version INT NOT NULL PRIMARY KEY,
                  applied_at BIGINT NOT NULL COMMENT 'ms since 1970'
                )
                """)
            let rows = try connection.query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_migrations")
            let version = try rows.first?.int("version") ?? 0
            for (index, statements) in Schema.migrations.enumerated().dropFirst(version) {
                for statement in statements { try connection.execute(statement) }
                try connection.execute(
                    "INSERT INTO schema_migrations (version, applied_at) VALUES (\(index + 1), \(Timestamp.now()))")
            }
        }
    }

    /// How many migrations were applied.
    public func schemaVersion() async throws -> Int {
        try await query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_migrations").first?.int("version") ?? 0
    }
}

/// The tables and the views for the mail servers, as one ordered list. Times are milliseconds since 1970 in UTC.
enum Schema {
    static let migrations: [[SQL]] = [
        people + credentials + mail + viewsForMailServers, Schema.oauthAndAudit, Schema.revocationsOfGrants,
        Schema.keysAndTombstones,
        Schema.signatures + Schema.contacts,
        Schema.outboxAndUploads,
        Schema.webhooks,
        Schema.hosting,
        Schema.usageByDomain,
        Schema.kickProgress,
        Schema.claims,
    ]

    private static let people: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS customers (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          name VARCHAR(200) NOT NULL,
          created_at BIGINT NOT NULL
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS users (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          customer_id BIGINT NOT NULL,
          email VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          password_hash VARCHAR(255) NOT NULL,
          role ENUM('admin', 'member') NOT NULL,
          status ENUM('active', 'suspended') NOT NULL DEFAULT 'active',
          created_at BIGINT NOT NULL,
          UNIQUE KEY (email), KEY (customer_id),
          FOREIGN KEY (customer_id) REFERENCES customers (id)
        ) CHARACTER SET utf8mb4
        """,
    ]

    private static let credentials: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS service_tokens (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          name VARCHAR(200) NOT NULL,
          token_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256',
          scopes VARCHAR(1000) NOT NULL COMMENT 'space-separated',
          created_at BIGINT NOT NULL,
          expires_at BIGINT NULL,
          last_used_at BIGINT NULL,
          UNIQUE KEY (token_hash)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS sessions (
          family CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
          subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'user:<id> or account:<id>',
          created_at BIGINT NOT NULL,
          ended_at BIGINT NULL,
          KEY (subject)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS refresh_tokens (
          token_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'SHA-256',
          family CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          created_at BIGINT NOT NULL,
          expires_at BIGINT NOT NULL,
          rotated_at BIGINT NULL,
          KEY (family), KEY (expires_at),
          FOREIGN KEY (family) REFERENCES sessions (family) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS revocations (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          at BIGINT NOT NULL,
          kind ENUM('jti', 'family', 'user', 'account') NOT NULL,
          value VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          not_before BIGINT NOT NULL,
          KEY (at), KEY (kind, value)
        ) CHARACTER SET utf8mb4
        """,
    ]

    private static let mail: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS domains (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          customer_id BIGINT NOT NULL,
          domain VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'A-labels',
          status ENUM('active', 'suspended', 'pending') NOT NULL DEFAULT 'active',
          dkim_selector VARCHAR(63) CHARACTER SET ascii NOT NULL,
          dkim_public_key TEXT CHARACTER SET ascii NOT NULL COMMENT 'base64 of the SubjectPublicKeyInfo',
          dns_status ENUM('ok', 'pending', 'failed', 'manual') NOT NULL DEFAULT 'pending',
          dns_checked_at BIGINT NULL,
          created_at BIGINT NOT NULL,
          UNIQUE KEY (domain), KEY (customer_id), KEY (dns_status),
          FOREIGN KEY (customer_id) REFERENCES customers (id)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS accounts (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          domain_id BIGINT NOT NULL,
          email VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          quota_mb INT NOT NULL,
          display_name VARCHAR(200) NOT NULL DEFAULT '',
          status ENUM('active', 'suspended') NOT NULL DEFAULT 'active',
          last_login BIGINT NULL,
          created_at BIGINT NOT NULL,
          UNIQUE KEY (email), KEY (domain_id),
          FOREIGN KEY (domain_id) REFERENCES domains (id)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS user_accounts (
          user_id BIGINT NOT NULL,
          account_id BIGINT NOT NULL,
          PRIMARY KEY (user_id, account_id), KEY (account_id),
          FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS aliases (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          domain_id BIGINT NOT NULL,
          source VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'local part; * is the catch-all',
          created_at BIGINT NOT NULL,
          UNIQUE KEY (domain_id, source),
          FOREIGN KEY (domain_id) REFERENCES domains (id)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS alias_destinations (
          alias_id BIGINT NOT NULL,
          position INT NOT NULL,
          destination VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          PRIMARY KEY (alias_id, position),
          FOREIGN KEY (alias_id) REFERENCES aliases (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
        // Written by Dovecot (quota_clone), read by the API.
        """
        CREATE TABLE IF NOT EXISTS mailbox_usage (
          username VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
          bytes BIGINT NOT NULL DEFAULT 0,
          messages BIGINT NOT NULL DEFAULT 0
        ) CHARACTER SET utf8mb4
        """,
    ]

    /// What Dovecot and Postfix may know; their database users can read these views and nothing else.
    private static let viewsForMailServers: [SQL] = [
        """
        CREATE OR REPLACE VIEW dovecot_users AS
        SELECT a.email, SUBSTRING_INDEX(a.email, '@', 1) AS local_part, d.domain, a.password_hash AS password,
               a.quota_mb, a.status = 'active' AND d.status <> 'suspended' AS active
        FROM accounts a JOIN domains d ON d.id = a.domain_id
        """,
        "CREATE OR REPLACE VIEW postfix_domains AS SELECT domain FROM domains",
        "CREATE OR REPLACE VIEW postfix_mailboxes AS SELECT email FROM accounts",
        """
        CREATE OR REPLACE VIEW postfix_aliases AS
        SELECT CONCAT(IF(s.source = '*', '', s.source), '@', d.domain) AS source_email, t.destination
        FROM aliases s JOIN domains d ON d.id = s.domain_id JOIN alias_destinations t ON t.alias_id = s.id
        """,
        // Which address a login may send as: its own, and the aliases that lead to it.
        """
        CREATE OR REPLACE VIEW postfix_senders AS
        SELECT email AS sender, email AS login FROM accounts
        UNION ALL
        SELECT CONCAT(s.source, '@', d.domain), t.destination
        FROM aliases s JOIN domains d ON d.id = s.domain_id JOIN alias_destinations t ON t.alias_id = s.id
        WHERE s.source <> '*'
        """,
        """
        CREATE OR REPLACE VIEW postfix_suspended AS
        SELECT a.email AS address FROM accounts a JOIN domains d ON d.id = a.domain_id
        WHERE a.status = 'suspended' OR d.status = 'suspended'
        """,
    ]
}
