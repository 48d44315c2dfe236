/// Who is calling, after the credentials were checked.
public enum Caller: Sendable, Equatable {
    /// A service token: the hoster's own platform, every customer, or what it is limited to.
    case platform(Platform)
    /// A bearer token: a person, or a mailbox that logged in by itself.
    case person(Person)

    public struct Platform: Sendable, Equatable {
        /// The id of the service token, for the audit log.
        public let tokenID: Int64
        public let name: String
        /// What the token may do (`mail:read`, `mail:write`, `auth:introspect`, …); `*` is everything.
        public let scopes: Set<String>
        /// The domains and mailboxes it is limited to; nil is every one.
        public let limits: Limits?
        /// Milliseconds since 1970; nil never expires.
        public let expiresAt: Int64?

        public init(
            tokenID: Int64, name: String, scopes: Set<String>, limits: Limits? = nil, expiresAt: Int64? = nil
        ) {
            self.tokenID = tokenID
            self.name = name
            self.scopes = scopes
            self.limits = limits
            self.expiresAt = expiresAt
        }

        /// What it is called in tokens made for it, in the audit log and where it is revoked.
        public var subject: String { Self.subject(tokenID) }

        public static func subject(_ tokenID: Int64) -> String { "service:\(tokenID)" }

        public func may(_ scope: String) -> Bool {
            if limits != nil, ServiceScope(rawValue: scope)?.isForWholePlatform ?? true { return false }
            return scopes.contains("*") || scopes.contains(scope)
        }

        /// Whether it may reach a mailbox of that address (lower case, the domain as A-labels), if there is one.
        public func reaches(_ email: String) -> Bool { limits?.contain(email) ?? true }
    }

    /// Domains and mailboxes: what is in either list is within the limits.
    public struct Limits: Sendable, Equatable, Codable {
        /// As A-labels.
        public let domains: [String]
        /// Addresses, lower case.
        public let addresses: [String]

        public init(domains: [String], addresses: [String]) {
            self.domains = domains
            self.addresses = addresses
        }

        func contain(_ email: String) -> Bool {
            if addresses.contains(email) { return true }
            guard let at = email.lastIndex(of: "@") else { return false }
            return domains.contains(String(email[email.index(after: at)...]))
        }
    }

    public struct Person: Sendable, Equatable {
        /// The token's `sub`: `user:<id>` for a user, `account:<id>` for a mailbox that logged in by itself.
        public let subject: String
        public let email: String
        public let customerID: Int64
        public let role: Role
        /// The addresses of the mailboxes this person reads, own ones first; an admin may use every one of its customer.
        public let accounts: [String]
        /// The `jti` of the access token.
        public let tokenID: String
        /// The login session the token descends from (its refresh-token family).
        public let family: String

        public init(
            subject: String, email: String, customerID: Int64, role: Role, accounts: [String], tokenID: String,
            family: String
        ) {
            self.subject = subject
            self.email = email
            self.customerID = customerID
            self.role = role
            self.accounts = accounts
            self.tokenID = tokenID
            self.family = family
        }
    }

    /// The part of the data this caller may see; every store method takes it and its SQL applies it.
    public var scope: Scope {
        switch self {
        case .platform(let platform): platform.limits.map(Scope.limited) ?? .everything
        case .person(let person):
            person.role == .admin ? .customer(person.customerID) : .accounts(person.accounts)
        }
    }
}

/// What a user may do within its customer.
public enum Role: String, Sendable, Codable {
    /// All domains, mailboxes, aliases and signatures of the customer.
    case admin
    /// Its own mailboxes.
    case member
}

/// The tenant scope of a caller. What lies outside is answered as if it did not exist.
public enum Scope: Sendable, Equatable {
    case everything
    case customer(Int64)
    /// These mailboxes alone, by address.
    case accounts([String])
    /// These domains with what is in them, and these mailboxes.
    case limited(Caller.Limits)
}
