/// Who is calling, after the credentials were checked.
public enum Caller: Sendable, Equatable {
    /// A service token: the hoster's own platform, every customer.
    case platform(Platform)
    /// A bearer token: a person, or a mailbox that logged in by itself.
    case person(Person)

    public struct Platform: Sendable, Equatable {
        /// The id of the service token, for the audit log.
        public let tokenID: Int64
        public let name: String
        /// What the token may do (`mail:read`, `mail:write`, `auth:introspect`, …); `*` is everything.
        public let scopes: Set<String>

        public init(tokenID: Int64, name: String, scopes: Set<String>) {
            self.tokenID = tokenID
            self.name = name
            self.scopes = scopes
        }

        public func may(_ scope: String) -> Bool { scopes.contains("*") || scopes.contains(scope) }
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
        case .platform: .everything
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
}
