import FoundationEssentials
import MariaDB
public import MailModel

/// A record of the audit log as the API shows it.
public struct AuditRecord: Sendable, Equatable, Codable {
    public let id: Int64
    /// RFC 3339.
    public let at: String
    public let actor: String
    public let customerID: Int64?
    public let action: String
    public let target: String
    public let detail: [String: Value]
    public let ip: String?
    public let requestID: String?

    /// What a detail is: a word, or a number.
    public enum Value: Sendable, Equatable, Codable {
        case text(String)
        case number(Int64)

        public init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(Int64.self) {
                self = .number(number)
            } else {
                self = .text(try value.decode(String.self))
            }
        }

        public func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .text(let text): try value.encode(text)
            case .number(let number): try value.encode(number)
            }
        }
    }

    enum CodingKeys: String, CodingKey {
        case id, at, actor, action, target, detail, ip
        case customerID = "customer_id"
        case requestID = "request_id"
    }
}

extension AuditStore {
    /// Which records are wanted; what is nil does not matter.
    public struct Filter: Sendable, Equatable {
        public var actor: String?
        /// Exact, or all that begin with it when it ends in a dot (`user.`).
        public var action: String?
        public var target: String?
        public var customerID: Int64?
        /// Milliseconds since 1970: from then on.
        public var since: Int64?
        /// Milliseconds since 1970: before then.
        public var until: Int64?

        public init(
            actor: String? = nil, action: String? = nil, target: String? = nil, customerID: Int64? = nil,
            since: Int64? = nil, until: Int64? = nil
        ) {
            self.actor = actor
            self.action = action
            self.target = target
            self.customerID = customerID
            self.since = since
            self.until = until
        }

        fileprivate var conditions: [SQL] {
            var conditions: [SQL] = []
            // No words of ours; MariaDB would not compare them with one.
            guard [actor, action].compactMap(\.self).allSatisfy({ $0.utf8.allSatisfy { $0 < 0x80 } }) else {
                return ["FALSE"]
            }
            if let actor { conditions.append("actor = \(actor)") }
            if let action {
                conditions.append(
                    action.hasSuffix(".")
                        ? "LEFT(action, \(action.unicodeScalars.count)) = \(action)" : "action = \(action)")
            }
            if let target { conditions.append("target = \(target)") }
            if let customerID { conditions.append("customer_id = \(customerID)") }
            if let since { conditions.append("at >= \(since)") }
            if let until { conditions.append("at < \(until)") }
            return conditions
        }
    }

    /// The newest first.
    public func list(_ filter: Filter, _ page: PageRequest, scope: Scope) async throws -> Page<AuditRecord> {
        let visible: SQL =
            switch scope {
            case .everything: "TRUE"
            case .customer(let id): "customer_id = \(id)"
            case .accounts, .limited: "FALSE"
            }
        let condition = ([visible] + filter.conditions).joined(separator: " AND ")
        let rows = try await database.query(
            """
            SELECT id, at, actor, customer_id, action, target, detail, ip, request_id FROM audit_log
            WHERE \(condition) ORDER BY id DESC \(SQL.page(page))
            """)
        let total = try await database.query("SELECT COUNT(*) AS n FROM audit_log WHERE \(condition)").first?.int("n")
        return Page(items: try rows.map(Self.record), request: page, total: total ?? 0)
    }

    private static func record(_ row: Row) throws -> AuditRecord {
        let detail = try row.optionalString("detail").flatMap {
            try? JSONDecoder().decode([String: AuditRecord.Value].self, from: Data($0.utf8))
        }
        return AuditRecord(
            id: try row.int64("id"), at: Timestamp.rfc3339(milliseconds: try row.int64("at")),
            actor: try row.string("actor"), customerID: try row.optionalInt64("customer_id"),
            action: try row.string("action"), target: try row.string("target"), detail: detail ?? [:],
            ip: try row.optionalString("ip"), requestID: try row.optionalString("request_id"))
    }
}
