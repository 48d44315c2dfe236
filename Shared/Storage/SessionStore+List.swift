import MariaDB
public import MailModel

/// A login session as its owner sees it.
public struct Session: Sendable, Equatable, Codable {
    /// Its refresh-token family.
    public let id: String
    /// `user:<id>` or `account:<id>`.
    public let subject: String
    /// The OAuth client's name; nil is a login by the API.
    public let client: String?
    public let clientID: String?
    /// The mailbox that an OAuth session opens.
    public let mailbox: String?
    public let scope: String?
    public let ip: String?
    public let userAgent: String?
    /// RFC 3339, as the following.
    public let createdAt: String
    public let lastUsedAt: String?

    enum CodingKeys: String, CodingKey {
        case id, subject, client, mailbox, scope, ip
        case clientID = "client_id"
        case userAgent = "user_agent"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
    }
}

/// Whose session it is.
public struct SessionOwner: Sendable, Equatable {
    /// `user:<id>` or `account:<id>`.
    public let subject: String
    public let customerID: Int64?
    /// The mailbox that the session opens, or its owner's own address.
    public let email: String
}

extension SessionStore {
    /// Whose sessions are meant.
    public enum Whose: Sendable, Equatable {
        /// Those of one owner, by the `sub` of the tokens (`user:<id>` or `account:<id>`).
        case subject(String)
        /// Those of a mailbox: its own logins (`subject`), and those by which programs of anybody open it.
        case mailbox(String, subject: String)

        fileprivate var condition: SQL {
            switch self {
            case .subject(let subject): "s.subject = \(subject)"
            case .mailbox(let email, let subject): "(s.subject = \(subject) OR s.mailbox = \(email))"
            }
        }
    }

    /// The live sessions of somebody, the last used first.
    public func list(_ whose: Whose, _ page: PageRequest) async throws -> Page<Session> {
        let live = Self.live(whose)
        let items = try await database.query(
            """
            SELECT s.family, s.subject, c.name, s.client_id, s.mailbox, s.scope, s.ip, s.user_agent, s.created_at,
              s.last_used_at
            FROM sessions s LEFT JOIN oauth_clients c ON c.client_id = s.client_id
            WHERE \(live) ORDER BY COALESCE(s.last_used_at, s.created_at) DESC, s.family \(SQL.page(page))
            """
        ).map { row in
            Session(
                id: try row.string("family"), subject: try row.string("subject"),
                client: try row.optionalString("name"), clientID: try row.optionalString("client_id"),
                mailbox: try row.optionalString("mailbox"), scope: try row.optionalString("scope"),
                ip: try row.optionalString("ip"), userAgent: try row.optionalString("user_agent"),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
                lastUsedAt: try row.optionalInt64("last_used_at").map(Timestamp.rfc3339(milliseconds:)))
        }
        let total = try await database.query("SELECT COUNT(*) AS n FROM sessions s WHERE \(live)").first?.int("n")
        return Page(items: items, request: page, total: total ?? 0)
    }

    /// Whose session it is, live or not.
    public func owner(of family: String) async throws -> SessionOwner? {
        guard family.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        return try await database.query(
            """
            SELECT s.subject, COALESCE(u.customer_id, d.customer_id) AS customer_id,
              COALESCE(s.mailbox, u.email, a.email, '') AS email
            FROM sessions s
              LEFT JOIN users u ON u.id = IF(s.subject LIKE 'user:%', SUBSTRING(s.subject, 6), 0)
              LEFT JOIN accounts a ON a.id = IF(s.subject LIKE 'account:%', SUBSTRING(s.subject, 9), 0)
              LEFT JOIN domains d ON d.id = a.domain_id
            WHERE s.family = \(family)
            """
        ).first.map { row in
            SessionOwner(
                subject: try row.string("subject"), customerID: try row.optionalInt64("customer_id"),
                email: try row.string("email"))
        }
    }

    /// Whether somebody has this live session.
    public func isLive(_ family: String, of whose: Whose) async throws -> Bool {
        // No id of ours; MariaDB would not compare it with one.
        guard family.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
        return try await !database.query(
            "SELECT 1 AS found FROM sessions s WHERE s.family = \(family) AND \(Self.live(whose))"
        ).isEmpty
    }

    /// Not ended, its owner not revoked since it began, and with a refresh token that still counts.
    private static func live(_ whose: Whose) -> SQL {
        """
        \(whose.condition) AND s.ended_at IS NULL
        AND EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family = s.family AND t.expires_at > \(Timestamp.now()))
        AND NOT \(RevocationStore.isRevoked(subject: "s.subject", mailbox: "s.mailbox", since: "s.created_at"))
        """
    }
}
