import FoundationEssentials
import MariaDB
import MailModel

/// Who did what, and from where: appended to, never changed.
public struct AuditStore: Sendable {
    let database: Database

    /// The actor of what nobody known did.
    public static let anonymous = "anonymous"

    /// Something that somebody did, or tried to.
    public struct Event: Sendable, Equatable {
        /// `user:<id>`, `account:<id>`, `service:<id>`, `command`, `platform` or `anonymous`.
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

    /// Who makes a change, and from where: what a store adds to its own record of it.
    public struct Origin: Sendable, Equatable {
        /// As `Event.actor`.
        public let actor: String
        public let ip: String?
        public let requestID: String?

        public init(actor: String, ip: String? = nil, requestID: String? = nil) {
            self.actor = actor
            self.ip = ip
            self.requestID = requestID
        }

        /// The operator, at the shell.
        public static let command = Origin(actor: "command")
        /// What the platform does by itself when its time has come.
        static let worker = Origin(actor: "platform")

        func event(
            _ action: String, target: String, customerID: Int64?, detail: [String: String] = [:]
        ) -> Event {
            Event(
                actor: actor, customerID: customerID, action: action, target: target,
                detail: AuditStore.detail(detail), ip: ip, requestID: requestID)
        }
    }

    /// What a change made of what: `before.quota_mb`, `after.quota_mb`.
    struct Changes {
        private(set) var fields: [String: String] = [:]

        /// A field that was given; one that stays as it was is left out.
        mutating func add(_ name: String, _ before: String, _ after: String?) {
            guard let after, after != before else { return }
            fields["before.\(name)"] = before
            fields["after.\(name)"] = after
        }
    }

    /// The text that `Event.detail` wants; nil for nothing.
    public static func detail(_ fields: [String: String]) -> String? {
        guard !fields.isEmpty else { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings always are JSON.
        return (try? encoder.encode(fields)).map { String(decoding: $0, as: UTF8.self) }
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
             \(event.target.prefix(scalars: 320)), \(event.detail),
             \(event.ip?.prefix(scalars: 45)), \(event.requestID?.prefix(scalars: 64)))
            """)
    }

    /// Forgets what is older than the records are to be kept, some at a time, so that nobody waits for long.
    /// - Parameter horizon: Milliseconds since 1970.
    public func purge(before horizon: Int64) async throws {
        var deleted = 0
        repeat {
            deleted = try await database.execute("DELETE FROM audit_log WHERE at < \(horizon) LIMIT 5000").affectedRows
        } while deleted == 5000
    }
}
