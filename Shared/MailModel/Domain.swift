/// A mail domain of a customer, as the API shows it.
public struct Domain: Sendable, Equatable, Codable {
    public enum Status: String, Sendable, Codable { case active, suspended, pending }

    /// What is known of its DNS records.
    public struct DNS: Sendable, Equatable, Codable {
        /// `ok`: written, as the DNS server says; `pending`: still to be written; `failed`: refused, or something of others
        /// is in the way of a part; `manual`: kept by the customer.
        public enum Status: String, Sendable, Codable { case ok, pending, failed, manual }
        public let status: Status
        /// RFC 3339; nil until the first attempt.
        public let checkedAt: String?
        /// Why it is not `ok`, for a person; nil where there is nothing to say.
        public let detail: String?

        public init(status: Status, checkedAt: String?, detail: String? = nil) {
            self.status = status
            self.checkedAt = checkedAt
            self.detail = detail
        }

        enum CodingKeys: String, CodingKey {
            case status, detail
            case checkedAt = "checked_at"
        }

        /// What was not tried yet is null, and there.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(status, forKey: .status)
            try container.encode(checkedAt, forKey: .checkedAt)
            try container.encodeIfPresent(detail, forKey: .detail)
        }
    }

    /// What mail programs are told to try first.
    public enum ClientLogin: String, Sendable, Codable { case password, oauth2 }

    public let id: Int64
    /// As A-labels.
    public let domain: String
    public let customerID: Int64
    /// The id of the domain whose mailboxes it leads to; nil for one with mailboxes of its own.
    public let aliasOf: Int64?
    public let status: Status
    public let clientLogin: ClientLogin
    /// How many mailboxes it has.
    public let accounts: Int
    /// How many aliases it has.
    public let aliases: Int
    /// The sum of its mailboxes' quotas, in MB (2^20 bytes).
    public let quotaMB: Int
    /// The sum of what its mailboxes hold, in MB, rounded up.
    public let usedMB: Int
    public let dns: DNS
    /// RFC 3339.
    public let createdAt: String
    /// RFC 3339; nil unless it is deleted.
    public let deletedAt: String?
    /// RFC 3339: when a deleted one is gone for good.
    public let purgeAt: String?

    public init(
        id: Int64, domain: String, customerID: Int64, aliasOf: Int64? = nil, status: Status,
        clientLogin: ClientLogin = .password, accounts: Int, aliases: Int, quotaMB: Int, usedMB: Int, dns: DNS,
        createdAt: String, deletedAt: String? = nil, purgeAt: String? = nil
    ) {
        self.id = id
        self.domain = domain
        self.customerID = customerID
        self.aliasOf = aliasOf
        self.clientLogin = clientLogin
        self.status = status
        self.accounts = accounts
        self.aliases = aliases
        self.quotaMB = quotaMB
        self.usedMB = usedMB
        self.dns = dns
        self.createdAt = createdAt
        self.deletedAt = deletedAt
        self.purgeAt = purgeAt
    }

    /// The same domain, with what is known of its DNS now.
    public func with(dns: DNS) -> Domain {
        Domain(
            id: id, domain: domain, customerID: customerID, aliasOf: aliasOf, status: status, clientLogin: clientLogin,
            accounts: accounts, aliases: aliases, quotaMB: quotaMB, usedMB: usedMB, dns: dns, createdAt: createdAt,
            deletedAt: deletedAt, purgeAt: purgeAt)
    }

    enum CodingKeys: String, CodingKey {
        case id, domain, status, accounts, aliases, dns
        case customerID = "customer_id"
        case aliasOf = "alias_of"
        case clientLogin = "client_login"
        case deletedAt = "deleted_at"
        case purgeAt = "purge_at"
        case quotaMB = "quota_mb"
        case usedMB = "used_mb"
        case createdAt = "created_at"
    }
}
