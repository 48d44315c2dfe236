/// Somebody who is told of mail events by HTTP.
public struct Webhook: Sendable, Equatable, Codable {
    public enum Owner: Sendable, Equatable {
        /// The hoster: every mailbox may be meant.
        case platform
        /// A customer, by its admins.
        case customer(Int64)
        /// Who holds the mailboxes named.
        case mailboxes
    }

    /// What its owner decides of it.
    public struct Draft: Sendable, Equatable {
        public var url: String
        /// The mailboxes, by address; empty for all of its owner.
        public var accounts: [String]
        /// Types of events; empty for all.
        public var events: [String]

        public init(url: String, accounts: [String], events: [String]) {
            self.url = url
            self.accounts = accounts
            self.events = events
        }
    }

    public enum Status: String, Sendable, Codable {
        case active
        /// Its receiver said that it is gone (410).
        case disabled
    }

    public let id: Int64
    public let url: String
    /// Empty for all mailboxes of its owner.
    public let accounts: [String]
    /// Empty for all types.
    public let events: [String]
    public let status: Status
    /// Events that are still to be told.
    public let pending: Int
    /// Events given up.
    public let dead: Int
    /// HTTP status of the last attempt; nil before the first, and where there was no answer.
    public let lastStatus: Int?
    /// A stable word; nil when the last attempt went well.
    public let lastError: String?
    /// RFC 3339.
    public let lastAttemptAt: String?
    /// RFC 3339.
    public let createdAt: String

    public init(
        id: Int64, _ draft: Draft, status: Status, pending: Int, dead: Int, lastStatus: Int?, lastError: String?,
        lastAttemptAt: String?, createdAt: String
    ) {
        self.id = id
        url = draft.url
        accounts = draft.accounts
        events = draft.events
        self.status = status
        self.pending = pending
        self.dead = dead
        self.lastStatus = lastStatus
        self.lastError = lastError
        self.lastAttemptAt = lastAttemptAt
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, url, accounts, events, status, pending, dead
        case lastStatus = "last_status"
        case lastError = "last_error"
        case lastAttemptAt = "last_attempt_at"
        case createdAt = "created_at"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(url, forKey: .url)
        try container.encode(accounts, forKey: .accounts)
        try container.encode(events, forKey: .events)
        try container.encode(status, forKey: .status)
        try container.encode(pending, forKey: .pending)
        try container.encode(dead, forKey: .dead)
        // As null, not left out: clients may rely on every field.
        try container.encode(lastStatus, forKey: .lastStatus)
        try container.encode(lastError, forKey: .lastError)
        try container.encode(lastAttemptAt, forKey: .lastAttemptAt)
        try container.encode(createdAt, forKey: .createdAt)
    }
}

/// An event that could not be told, and is not tried any more unless asked for.
public struct DeadLetter: Sendable, Equatable, Codable {
    public let id: Int64
    public let account: String
    public let eventID: String
    public let type: String
    public let attempts: Int
    public let lastStatus: Int?
    public let lastError: String?
    /// RFC 3339.
    public let createdAt: String

    public init(
        id: Int64, account: String, eventID: String, type: String, attempts: Int, lastStatus: Int?, lastError: String?,
        createdAt: String
    ) {
        self.id = id
        self.account = account
        self.eventID = eventID
        self.type = type
        self.attempts = attempts
        self.lastStatus = lastStatus
        self.lastError = lastError
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, account, type, attempts
        case eventID = "event_id"
        case lastStatus = "last_status"
        case lastError = "last_error"
        case createdAt = "created_at"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(account, forKey: .account)
        try container.encode(eventID, forKey: .eventID)
        try container.encode(type, forKey: .type)
        try container.encode(attempts, forKey: .attempts)
        try container.encode(lastStatus, forKey: .lastStatus)
        try container.encode(lastError, forKey: .lastError)
        try container.encode(createdAt, forKey: .createdAt)
    }
}
