/// A mail domain of a customer, as the API shows it.
public struct Domain: Sendable, Equatable, Codable {
    public enum Status: String, Sendable, Codable { case active, suspended, pending }

    /// What is known of its DNS records.
    public struct DNS: Sendable, Equatable, Codable {
        /// `ok`: written and answered; `pending`: still to be written; `failed`: refused; `manual`: kept by the customer.
        public enum Status: String, Sendable, Codable { case ok, pending, failed, manual }
        public let status: Status
        /// RFC 3339; nil until the first attempt.
        public let checkedAt: String?

        public init(status: Status, checkedAt: String?) {
            self.status = status
            self.checkedAt = checkedAt
        }

        enum CodingKeys: String, CodingKey {
            case status
            case checkedAt = "checked_at"
        }
    }

    public let id: Int64
    /// As A-labels.
    public let domain: String
    public let customerID: Int64
    public let status: Status
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

    public init(
        id: Int64, domain: String, customerID: Int64, status: Status, accounts: Int, aliases: Int, quotaMB: Int,
        usedMB: Int, dns: DNS, createdAt: String
    ) {
        self.id = id
        self.domain = domain
        self.customerID = customerID
        self.status = status
        self.accounts = accounts
        self.aliases = aliases
        self.quotaMB = quotaMB
        self.usedMB = usedMB
        self.dns = dns
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, domain, status, accounts, aliases, dns
        case customerID = "customer_id"
        case quotaMB = "quota_mb"
        case usedMB = "used_mb"
        case createdAt = "created_at"
    }
}
