import MariaDB
import MailModel

/// Who did what, and from where: appended to, never changed.
public struct AuditStore: Sendable {
    let database: Database

    /// Something that somebody did, or tried to.
    public struct Event: Sendable, Equatable {
        /// `user:<id>`, `account:<id>`, `service:<id>`, `command` or `anonymous`.
        public var actor: String
        /// Whose record it is; nil is the platform's own.
        public var customerID: Int64?
        /// A stable word, `noun.verb` (`login.failed`, `user.created`).
        public var action: String
        /// What it was done to: an address, a name or an id.
        public var target: String
        /// More about it, as a JSON object; never a secret.
        public var detail: String?
        public var ip: String?
        public var requestID: String?

        public init(
            actor: String, customerID: Int64? = nil, action: String, target: String = "", detail: String? = nil,
            ip: String? = nil, requestID: String? = nil
        ) {
            self.actor = actor
            self.customerID = customerID
            self.action = action
            self.target = target
            self.detail = detail
            self.ip = ip
            self.requestID = requestID
        }
    }

    public func record(_ event: Event) async throws {
        try await database.transaction { tx in try Self.record(event, in: tx) }
    }

    /// As part of the change it tells of.
    static func record(_ event: Event, in tx: Transaction) throws {
        try tx.execute(
            """
            INSERT INTO audit_log (at, actor, customer_id, action, target, detail, ip, request_id) VALUES
            (\(Timestamp.now()), \(event.actor), \(event.customerID), \(event.action),
             \(String(event.target.prefix(320))), \(event.detail), \(event.ip), \(event.requestID))
            """)
    }
}
