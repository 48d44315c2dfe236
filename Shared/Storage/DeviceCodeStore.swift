import MariaDB
import MailModel

/// A device that waits for somebody to let it in (RFC 8628).
public struct DeviceRequest: Sendable, Equatable {
    public let userCode: String
    public let clientID: String
    /// `imap`, `smtp`, space-separated.
    public let scope: String
    /// Where the device asked from.
    public let ip: String
    /// What of that counts as one place.
    public let network: String
    /// Milliseconds since 1970.
    public let createdAt: Int64

    public init(userCode: String, clientID: String, scope: String, ip: String, network: String, createdAt: Int64) {
        self.userCode = userCode
        self.clientID = clientID
        self.scope = scope
        self.ip = ip
        self.network = network
        self.createdAt = createdAt
    }
}

/// Device codes; only their hash is kept. The user code is short-lived and useless without somebody's password.
public struct DeviceCodeStore: Sendable {
    let database: Database

    /// What a device that polls is told (RFC 8628 §3.5).
    public enum Poll: Sendable, Equatable {
        case approved(subject: String, mailbox: String, scope: String)
        case pending
        /// It asked sooner than it may; its interval is five seconds longer from now on.
        case tooFast
        case denied
        case expired
        case unknown
    }

    /// - Parameters:
    ///   - expiresAt: Milliseconds since 1970.
    ///   - limit: How many requests of one network may wait at once.
    /// - Returns: False when the user code is taken, or too many of that network wait.
    public func keep(
        _ request: DeviceRequest, hash: String, interval: Int, expiresAt: Int64, limit: Int
    ) async throws -> Bool {
        let outcome = try await database.execute(
            """
            INSERT IGNORE INTO device_codes
              (device_hash, user_code, client_id, scope, ip, network, interval_seconds, created_at, expires_at)
            SELECT \(hash), \(request.userCode), \(request.clientID), \(request.scope), \(request.ip),
              \(request.network), \(interval), \(request.createdAt), \(expiresAt)
            FROM DUAL WHERE (SELECT COUNT(*) FROM device_codes
              WHERE network = \(request.network) AND status = 'pending' AND expires_at > \(request.createdAt)) < \(limit)
            """)
        return outcome.affectedRows == 1
    }

    /// The request that waits under this code; nil when there is none, or it was decided or is too old.
    public func waiting(userCode: String) async throws -> DeviceRequest? {
        let rows = try await database.query(
            """
            SELECT user_code, client_id, scope, COALESCE(ip, '') AS ip, COALESCE(network, '') AS network, created_at
            FROM device_codes
            WHERE user_code = \(userCode) AND status = 'pending' AND expires_at > \(Timestamp.now())
            """)
        return try rows.first.map { row in
            DeviceRequest(
                userCode: try row.string("user_code"), clientID: try row.string("client_id"),
                scope: try row.string("scope"), ip: try row.string("ip"),
                network: try row.string("network"), createdAt: try row.int64("created_at"))
        }
    }

    /// - Parameter authenticatedAt: When the person showed its password, as of an `AuthorizationGrant`.
    /// - Returns: False when it no longer waited.
    public func approve(
        _ userCode: String, subject: String, mailbox: String, scope: String, authenticatedAt: Int64
    ) async throws -> Bool {
        try await database.execute(
            """
            UPDATE device_codes SET status = 'approved', subject = \(subject), mailbox = \(mailbox), scope = \(scope),
              authenticated_at = \(authenticatedAt)
            WHERE user_code = \(userCode) AND status = 'pending' AND expires_at > \(Timestamp.now())
            """
        ).affectedRows == 1
    }

    /// - Returns: False when it no longer waited.
    public func deny(_ userCode: String) async throws -> Bool {
        try await database.execute(
            "UPDATE device_codes SET status = 'denied' WHERE user_code = \(userCode) AND status = 'pending'"
        ).affectedRows == 1
    }

    /// Somebody's yes to a device.
    public struct Approval: Sendable, Equatable {
        public let subject: String
        public let mailbox: String
        public let scope: String
    }

    /// What `poll` would open a session for, which alone uses the code up; nil when it would not.
    public func approval(_ hash: String, clientID: String) async throws -> Approval? {
        let rows = try await database.query(
            """
            SELECT subject, mailbox, scope, \(Self.isRevoked) AS revoked FROM device_codes c
            WHERE device_hash = \(hash) AND client_id = \(clientID) AND status = 'approved'
              AND expires_at > \(Timestamp.now()) AND subject IS NOT NULL AND mailbox IS NOT NULL
            """)
        guard let row = rows.first, try !row.bool("revoked") else { return nil }
        return Approval(
            subject: try row.string("subject"), mailbox: try row.string("mailbox"), scope: try row.string("scope"))
    }

    /// Answers a device; an approved one gets its session, once, unless its person or mailbox was revoked meanwhile.
    public func poll(_ hash: String, clientID: String, opening: SessionOpening) async throws -> Poll {
        let now = Timestamp.now()
        return try await database.transaction { tx in
            let rows = try tx.query(
                """
                SELECT scope, status, subject, mailbox, authenticated_at, interval_seconds, last_polled_at, expires_at,
                  \(Self.isRevoked) AS revoked
                FROM device_codes c WHERE device_hash = \(hash) AND client_id = \(clientID) FOR UPDATE
                """)
            guard let row = rows.first else { return .unknown }
            guard try row.int64("expires_at") > now else { return .expired }
            let interval = try row.int64("interval_seconds") * 1000
            switch try row.string("status") {
            case "approved":
                guard let subject = try row.optionalString("subject"), let mailbox = try row.optionalString("mailbox")
                else { return .unknown }
                guard try !row.bool("revoked") else {
                    try tx.execute("UPDATE device_codes SET status = 'denied' WHERE device_hash = \(hash)")
                    return .denied
                }
                let scope = try row.string("scope")
                try tx.execute("UPDATE device_codes SET status = 'used' WHERE device_hash = \(hash)")
                var opening = opening
                opening.issuedAt = min(opening.issuedAt, try row.int64("authenticated_at"))
                opening.origin.clientID = clientID
                opening.origin.mailbox = mailbox
                opening.origin.scope = scope
                try SessionStore.open(opening, subject: subject, in: tx)
                return .approved(subject: subject, mailbox: mailbox, scope: scope)
            case "pending":
                // A second of grace: the device's clock starts when the last answer arrives.
                let tooFast = try row.optionalInt64("last_polled_at").map { now - $0 < interval - 1000 } ?? false
                try tx.execute(
                    """
                    UPDATE device_codes SET last_polled_at = \(now),
                      interval_seconds = LEAST(60, interval_seconds + \(tooFast ? 5 : 0)) WHERE device_hash = \(hash)
                    """)
                return tooFast ? .tooFast : .pending
            case "denied": return .denied
            default: return .unknown
            }
        }
    }

    private static let isRevoked = RevocationStore.isRevoked(
        subject: "c.subject", mailbox: "c.mailbox", since: "c.authenticated_at")

    public func purge() async throws {
        try await database.execute("DELETE FROM device_codes WHERE expires_at < \(Timestamp.now() - 3_600_000)")
    }
}
