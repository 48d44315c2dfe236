import MariaDB
import MailModel

/// A program that people let into their mailbox: a public client, without a secret (RFC 6749 §2.1).
public struct OAuthClient: Sendable, Equatable {
    public let clientID: String
    /// As people see it on the consent page.
    public let name: String
    public let redirectURIs: [String]
    /// Its own home page, when it named one.
    public let clientURI: String?
    /// Comes with the product; everybody else registered by themselves.
    public let isPreset: Bool

    public init(clientID: String, name: String, redirectURIs: [String], clientURI: String? = nil, isPreset: Bool) {
        self.clientID = clientID
        self.name = name
        self.redirectURIs = redirectURIs
        self.clientURI = clientURI
        self.isPreset = isPreset
    }
}

/// The OAuth clients, preset and registered (RFC 7591).
public struct OAuthClientStore: Sendable {
    let database: Database

    public func find(_ clientID: String) async throws -> OAuthClient? {
        // No id of ours; MariaDB would not compare it with one.
        guard clientID.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        let rows = try await database.query(
            """
            SELECT client_id, name, redirect_uris, client_uri, is_preset FROM oauth_clients
            WHERE client_id = \(clientID)
            """)
        return try rows.first.map { row in
            OAuthClient(
                clientID: try row.string("client_id"), name: try row.string("name"),
                redirectURIs: try row.string("redirect_uris").split(separator: "\n").map(String.init),
                clientURI: try row.optionalString("client_uri"), isPreset: try row.bool("is_preset"))
        }
    }

    /// Keeps a client that registered by itself.
    ///
    /// - Parameter limit: How many such clients there may be at most.
    /// - Returns: False when there are too many already.
    public func register(_ client: OAuthClient, from ip: String, limit: Int) async throws -> Bool {
        let outcome = try await database.execute(
            """
            INSERT INTO oauth_clients (client_id, name, redirect_uris, client_uri, registered_from, created_at)
            SELECT \(client.clientID), \(client.name), \(client.redirectURIs.joined(separator: "\n")),
              \(client.clientURI), \(ip), \(Timestamp.now())
            FROM DUAL WHERE (SELECT COUNT(*) FROM oauth_clients WHERE NOT is_preset) < \(limit)
            """)
        return outcome.affectedRows == 1
    }

    /// Makes the clients that come with the product what they are in this version.
    public func keepPresets(_ clients: [OAuthClient]) async throws {
        for client in clients {
            try await database.execute(
                """
                INSERT INTO oauth_clients (client_id, name, redirect_uris, is_preset, created_at) VALUES
                (\(client.clientID), \(client.name), \(client.redirectURIs.joined(separator: "\n")), TRUE,
                 \(Timestamp.now()))
                ON DUPLICATE KEY UPDATE name = VALUES(name), redirect_uris = VALUES(redirect_uris), is_preset = TRUE
                """)
        }
    }

    /// Notes that somebody was let in through it, to the hour.
    public func recordUse(_ clientID: String) async throws {
        let now = Timestamp.now()
        try await database.execute(
            """
            UPDATE oauth_clients SET last_used_at = \(now)
            WHERE client_id = \(clientID) AND (last_used_at IS NULL OR last_used_at < \(now - 3_600_000))
            """)
    }

    /// Forgets registered clients that nobody used for long and that no session is of, sooner if nobody ever did.
    /// - Parameters:
    ///   - horizon: Milliseconds since 1970, as `registered`.
    ///   - registered: Those that were never used are forgotten if they are older.
    public func purge(unusedSince horizon: Int64, neverUsedSince registered: Int64) async throws {
        try await database.execute(
            """
            DELETE FROM oauth_clients WHERE NOT is_preset
              AND (last_used_at < \(horizon) OR last_used_at IS NULL AND created_at < \(registered))
              AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.client_id = oauth_clients.client_id)
            """)
    }
}
