import MariaDB

extension Schema {
    /// OAuth2 clients and grants, second factors, app passwords, sealed signing keys, the audit log, and which live
    /// mailbox sessions a revocation ends.
    static let oauthAndAudit: [SQL] = keys + sessionsAndTokens + secondFactors + grants + endings + audit + newViews

    private static let keys: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS signing_keys (
          kid CHAR(43) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'RFC 7638 thumbprint',
          sealed_key VARBINARY(1024) NOT NULL COMMENT 'private key, sealed with the master key',
          created_at BIGINT NOT NULL,
          retired_at BIGINT NULL COMMENT 'signs no more since then; gone when its last token has expired',
          KEY (created_at)
        ) CHARACTER SET utf8mb4
        """
    ]

    private static let sessionsAndTokens: [SQL] = [
        """
        ALTER TABLE customers
          ADD COLUMN IF NOT EXISTS status ENUM('active', 'suspended') NOT NULL DEFAULT 'active' AFTER name
        """,
        """
        ALTER TABLE service_tokens
          ADD COLUMN IF NOT EXISTS domains TEXT CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT 'space-separated A-labels it is limited to; NULL is any' AFTER scopes,
          ADD COLUMN IF NOT EXISTS addresses TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
            COMMENT 'space-separated mailboxes it is limited to; NULL is any' AFTER domains
        """,
        """
        ALTER TABLE sessions
          ADD COLUMN IF NOT EXISTS client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL
            COMMENT 'OAuth client; NULL is a login by the API' AFTER subject,
          ADD COLUMN IF NOT EXISTS mailbox VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
            COMMENT 'OAuth: the mailbox its tokens open' AFTER client_id,
          ADD COLUMN IF NOT EXISTS scope VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NULL AFTER mailbox,
          ADD COLUMN IF NOT EXISTS ip VARCHAR(45) CHARACTER SET ascii NULL AFTER scope,
          ADD COLUMN IF NOT EXISTS user_agent VARCHAR(255) NULL AFTER ip,
          ADD COLUMN IF NOT EXISTS last_used_at BIGINT NULL AFTER created_at,
          ADD KEY IF NOT EXISTS mailbox (mailbox)
        """,
        // Which mailboxes the tokens of a session or a service opened: whose live connections its end must reach.
        """
        CREATE TABLE IF NOT EXISTS mail_tokens (
          jti CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
          family CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'empty for a service token',
          subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          email VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          issued_at BIGINT NOT NULL,
          expires_at BIGINT NOT NULL,
          KEY (family), KEY (subject), KEY (expires_at)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS app_passwords (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          account_id BIGINT NOT NULL,
          name VARCHAR(200) NOT NULL,
          secret_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256',
          scope VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'imap, smtp or both',
          created_at BIGINT NOT NULL,
          expires_at BIGINT NULL,
          last_used_at BIGINT NULL,
          last_used_ip VARCHAR(45) CHARACTER SET ascii NULL,
          UNIQUE KEY (secret_hash), KEY (account_id),
          FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4
        """,
    ]

    private static let secondFactors: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS totp_secrets (
          subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
          sealed_secret VARBINARY(255) NOT NULL,
          created_at BIGINT NOT NULL,
          confirmed_at BIGINT NULL COMMENT 'asked for at login since then',
          last_step BIGINT NOT NULL DEFAULT 0 COMMENT 'a code counts once (RFC 6238 section 5.2)'
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS recovery_codes (
          subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          code_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SHA-256',
          used_at BIGINT NULL,
          PRIMARY KEY (subject, code_hash)
        ) CHARACTER SET utf8mb4
        """,
    ]

    private static let grants: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS oauth_clients (
          client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
          name VARCHAR(100) NOT NULL,
          redirect_uris TEXT NOT NULL COMMENT 'one a line',
          client_uri VARCHAR(255) NULL,
          is_preset BOOLEAN NOT NULL DEFAULT FALSE,
          registered_from VARCHAR(45) CHARACTER SET ascii NULL,
          created_at BIGINT NOT NULL,
          last_used_at BIGINT NULL,
          KEY (is_preset, last_used_at)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS oauth_codes (
          code_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'SHA-256',
          client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          redirect_uri TEXT NOT NULL,
          subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          mailbox VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          scope VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          challenge CHAR(43) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'PKCE, S256',
          family CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the session it was exchanged for',
          created_at BIGINT NOT NULL,
          expires_at BIGINT NOT NULL,
          KEY (expires_at)
        ) CHARACTER SET utf8mb4
        """,
        """
        CREATE TABLE IF NOT EXISTS device_codes (
          device_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY COMMENT 'SHA-256',
          user_code CHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          client_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          scope VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          status ENUM('pending', 'approved', 'denied', 'used') NOT NULL DEFAULT 'pending',
          subject VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
          mailbox VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
          ip VARCHAR(45) CHARACTER SET ascii NULL COMMENT 'where the device asked from',
          interval_seconds INT NOT NULL,
          last_polled_at BIGINT NULL,
          created_at BIGINT NOT NULL,
          expires_at BIGINT NOT NULL,
          UNIQUE KEY (user_code), KEY (expires_at)
        ) CHARACTER SET utf8mb4
        """,
    ]

    private static let endings: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS revocation_mailboxes (
          revocation_id BIGINT NOT NULL,
          email VARCHAR(320) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
          PRIMARY KEY (revocation_id, email), KEY (email),
          FOREIGN KEY (revocation_id) REFERENCES revocations (id) ON DELETE CASCADE
        ) CHARACTER SET utf8mb4 COMMENT 'whose live mail sessions a revocation ends'
        """
    ]

    private static let audit: [SQL] = [
        """
        CREATE TABLE IF NOT EXISTS audit_log (
          id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
          at BIGINT NOT NULL,
          actor VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
            COMMENT 'user:<id>, account:<id>, service:<id>, command or anonymous',
          customer_id BIGINT NULL COMMENT 'whose record it is; NULL is the platform''s',
          action VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
          target VARCHAR(320) NOT NULL DEFAULT '',
          detail TEXT NULL COMMENT 'JSON, no secrets',
          ip VARCHAR(45) CHARACTER SET ascii NULL,
          request_id VARCHAR(64) CHARACTER SET ascii NULL,
          KEY (customer_id, id), KEY (actor), KEY (action), KEY (at)
        ) CHARACTER SET utf8mb4
        """
    ]

    /// As before, and a suspended customer suspends what it has. A mailbox whose login wants a second factor does not take
    /// its password over IMAP and SMTP, which could not ask for it.
    private static let newViews: [SQL] = [
        """
        CREATE OR REPLACE VIEW dovecot_users AS
        SELECT a.email, SUBSTRING_INDEX(a.email, '@', 1) AS local_part, d.domain, a.password_hash AS password,
               a.quota_mb, a.status = 'active' AND d.status <> 'suspended' AND c.status = 'active' AS active,
               NOT EXISTS (
                 SELECT 1 FROM totp_secrets t
                 WHERE t.subject = CONCAT('account:', a.id) AND t.confirmed_at IS NOT NULL) AS password_login
        FROM accounts a JOIN domains d ON d.id = a.domain_id JOIN customers c ON c.id = d.customer_id
        """,
        """
        CREATE OR REPLACE VIEW postfix_suspended AS
        SELECT a.email AS address FROM accounts a JOIN domains d ON d.id = a.domain_id
        JOIN customers c ON c.id = d.customer_id
        WHERE a.status = 'suspended' OR d.status = 'suspended' OR c.status = 'suspended'
        """,
        // Whose open SMTP sessions must end: for a little longer than Postfix lets a session idle.
        """
        CREATE OR REPLACE VIEW postfix_ended AS
        SELECT m.email AS login FROM revocation_mailboxes m JOIN revocations r ON r.id = m.revocation_id
        WHERE r.at > (UNIX_TIMESTAMP() - 65) * 1000
        UNION SELECT address FROM postfix_suspended
        """,
    ]
}
