import MariaDB

extension Schema {
    /// Who is ending what was deleted, so that one does it; and how much of a domain's records is to be written, and where.
    /// Columns at a table's end are added without a look at its rows.
    static let claims: [SQL] = [
        """
        ALTER TABLE accounts
          ADD COLUMN IF NOT EXISTS purge_lease BIGINT NULL COMMENT 'until then somebody is making it go'
        """,
        """
        ALTER TABLE domains
          ADD COLUMN IF NOT EXISTS purge_lease BIGINT NULL COMMENT 'until then somebody is making it go',
          ADD COLUMN IF NOT EXISTS dns_keys_only BOOLEAN NOT NULL DEFAULT FALSE
            COMMENT 'what is pending are the records of its keys; the others are written already',
          ADD COLUMN IF NOT EXISTS takes_zones BOOLEAN NOT NULL DEFAULT TRUE
            COMMENT 'whether its records may go into a zone that was not made here',
          ADD COLUMN IF NOT EXISTS dkim_looked_at BIGINT NULL COMMENT 'when its published keys were last looked for'
        """,
    ]
}
