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

extension SessionStore {
    /// The live sessions of a subject, the last used first.
    /// - Parameter subject: The `sub` of the tokens (`user:<id>` or `account:<id>`).
    public func list(subject: String, _ page: PageRequest) async throws -> Page<Session> {
        let live = Self.live(subject)
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

    /// Whether the subject has this live session.
    public func isLive(_ family: String, subject: String) async throws -> Bool {
        // No id of ours; MariaDB would not compare it with one.
        guard family.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
        return try await !database.query(
            "SELECT 1 AS found FROM sessions s WHERE s.family = \(family) AND \(Self.live(subject))"
        ).isEmpty
    }

    /// Not ended, its owner not revoked since it began, and with a refresh token that still counts.
    private static func live(_ subject: String) -> SQL {
        """
        s.subject = \(subject) AND s.ended_at IS NULL
        AND EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.family = s.family AND t.expires_at > \(Timestamp.now()))
        AND NOT \(RevocationStore.isRevoked(subject: "s.subject", mailbox: "s.mailbox", since: "s.created_at"))
        """
    }
}
