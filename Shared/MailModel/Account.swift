/// A mailbox, as the API shows it; its password is never part of it.
public struct Account: Sendable, Equatable, Codable {
    public enum Status: String, Sendable, Codable { case active, suspended }

    public let id: Int64
    public let email: String
    public let domainID: Int64
    /// MB of 2^20 bytes.
    public let quotaMB: Int
    /// MB, rounded up, as Dovecot last counted it.
    public let usedMB: Int
    /// How many messages it holds, as Dovecot last counted them.
    public let messages: Int
    /// Suspended also while its domain is.
    public let status: Status
    public let displayName: String
    /// RFC 3339; nil before the first login.
    public let lastLogin: String?
    /// Recipients an hour; nil for the platform's own limit.
    public let sendLimit: Int?
    /// RFC 3339.
    public let createdAt: String
    /// RFC 3339; nil unless it is deleted.
    public let deletedAt: String?
    /// RFC 3339: when a deleted one is gone for good.
    public let purgeAt: String?

    public init(
        id: Int64, email: String, domainID: Int64, quotaMB: Int, usedMB: Int, messages: Int, status: Status,
        displayName: String, lastLogin: String?, sendLimit: Int? = nil, createdAt: String, deletedAt: String? = nil,
        purgeAt: String? = nil
    ) {
        self.id = id
        self.email = email
        self.domainID = domainID
        self.quotaMB = quotaMB
        self.usedMB = usedMB
        self.messages = messages
        self.status = status
        self.displayName = displayName
        self.lastLogin = lastLogin
        self.sendLimit = sendLimit
        self.createdAt = createdAt
        self.deletedAt = deletedAt
        self.purgeAt = purgeAt
    }

    enum CodingKeys: String, CodingKey {
        case id, email, messages, status
        case domainID = "domain_id"
        case quotaMB = "quota_mb"
        case usedMB = "used_mb"
        case displayName = "display_name"
        case lastLogin = "last_login"
        case sendLimit = "send_limit"
        case deletedAt = "deleted_at"
        case purgeAt = "purge_at"
        case createdAt = "created_at"
    }

    /// A login that never was is null, and there.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(email, forKey: .email)
        try container.encode(domainID, forKey: .domainID)
        try container.encode(quotaMB, forKey: .quotaMB)
        try container.encode(usedMB, forKey: .usedMB)
        try container.encode(messages, forKey: .messages)
        try container.encode(status, forKey: .status)
        try container.encode(displayName, forKey: .displayName)
        try container.encode(lastLogin, forKey: .lastLogin)
        try container.encodeIfPresent(sendLimit, forKey: .sendLimit)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encodeIfPresent(deletedAt, forKey: .deletedAt)
        try container.encodeIfPresent(purgeAt, forKey: .purgeAt)
    }
}

/// A forwarding address, as the API shows it.
public struct Alias: Sendable, Equatable, Codable {
    public let id: Int64
    public let domainID: Int64
    /// The local part; `*` is the catch-all.
    public let source: String
    public let destination: [String]
    /// Whether who receives through it may also send as it.
    public let sendAs: Bool
    /// RFC 3339.
    public let createdAt: String

    public init(
        id: Int64, domainID: Int64, source: String, destination: [String], sendAs: Bool = true, createdAt: String
    ) {
        self.id = id
        self.domainID = domainID
        self.source = source
        self.destination = destination
        self.sendAs = sendAs
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, source, destination
        case sendAs = "send_as"
        case domainID = "domain_id"
        case createdAt = "created_at"
    }
}
