import Credentials
import MailModel
import Storage

/// One mailbox or alias to be made, as somebody wrote it.
struct ImportRow: Sendable, Equatable {
    /// From 1: the line of a CSV file, the place among the accounts and then the aliases of JSON.
    let line: Int
    var email = ""
    var password: String?
    /// A hash as Dovecot takes it, `{ARGON2ID}…`, of whoever comes with its old passwords.
    var passwordHash: String?
    var quotaMB: String?
    var displayName: String?
    var sendLimit: String?
    /// Of an alias: where it leads, and that it is one.
    var destination: [String]?

    static let columns = [
        "email", "password", "password_hash", "quota_mb", "display_name", "send_limit", "destination",
    ]

    /// Reads the cells of a row by the names in the table's head.
    init(_ row: CSV.Row, head: [String]) {
        line = row.line
        for (name, cell) in zip(head, row.cells) where !cell.isEmpty {
            switch name {
            case "email": email = cell
            case "password": password = cell
            case "password_hash": passwordHash = cell
            case "quota_mb": quotaMB = cell
            case "display_name": displayName = cell
            case "send_limit": sendLimit = cell
            case "destination": destination = cell.split(separator: " ").map(String.init)
            default: break
            }
        }
    }

    init(line: Int, _ account: ImportBody.Account) {
        self.line = line
        email = account.email
        password = account.password
        passwordHash = account.password_hash
        quotaMB = account.quota_mb.map(String.init)
        displayName = account.display_name
        sendLimit = account.send_limit.map(String.init)
    }

    init(line: Int, _ alias: ImportBody.Alias) {
        self.line = line
        email = alias.source
        destination = alias.destination.addresses
    }

    /// What is to be made, once nothing is wrong with it.
    enum Work: Sendable, Equatable {
        /// The hash of the draft is empty until the password is hashed.
        case account(AccountStore.Draft, domain: DomainName, password: String?)
        case alias(AliasStore.Draft, domain: DomainName)

        var domain: DomainName {
            switch self {
            case .account(_, let domain, _), .alias(_, let domain): domain
            }
        }
    }

    /// - Throws: `Failure` `invalid` naming the field.
    func work() throws -> Work {
        if let destination {
            guard let at = email.lastIndex(of: "@"),
                let domain = try? DomainName(String(email[email.index(after: at)...]))
            else { throw Failure.invalid("email", code: "invalid_address", "must be an address, or *@ and a domain") }
            let source = try AliasRule.source(String(email[..<at]), of: domain)
            return .alias(
                .init(source: source, destinations: try AliasRule.destinations(destination)), domain: domain)
        }
        let address = try EmailAddress(email)
        _ = try AccountStore.address(address.localPart, of: address.domain)
        let draft = AccountStore.Draft(
            localPart: address.localPart, passwordHash: try checkedHash(),
            quotaMB: try AccountRule.quota(number(quotaMB, "quota_mb")) ?? 1024,
            displayName: try AccountRule.displayName(displayName) ?? "",
            sendLimit: try AccountRule.sendLimit(number(sendLimit, "send_limit")))
        return .account(draft, domain: address.domain, password: password)
    }

    private func checkedHash() throws -> String {
        switch (password, passwordHash) {
        case (let password?, nil):
            try PasswordRule.check(password)
            return ""
        case (nil, let hash?):
            let schemes = [
                "{ARGON2ID}", "{ARGON2I}", "{BLF-CRYPT}", "{SHA512-CRYPT}", "{PBKDF2}", "{SSHA256}", "{SSHA512}",
            ]
            guard schemes.contains(where: hash.hasPrefix), hash.utf8.count <= 255,
                hash.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else {
                throw Failure.invalid(
                    "password_hash", code: "unknown_scheme", "must begin with one of \(schemes.joined(separator: ", "))"
                )
            }
            return hash
        case (nil, nil):
            throw Failure.invalid("password", code: "required", "a password or a password_hash is required")
        case (_?, _?):
            throw Failure.invalid("password", code: "ambiguous", "give a password or a password_hash, not both")
        }
    }

    private func number(_ text: String?, _ field: String) throws -> Int? {
        guard let text else { return nil }
        guard let number = Int(text) else {
            throw Failure.invalid(field, code: "not_a_number", "must be a whole number")
        }
        return number
    }
}

/// The JSON of an import.
struct ImportBody: Decodable {
    struct Account: Decodable {
        let email: String
        var password: String?
        var password_hash: String?
        var quota_mb: Int?
        var display_name: String?
        var send_limit: Int?
    }

    struct Alias: Decodable {
        /// An address, or `*@` and the domain.
        let source: String
        let destination: Destinations
    }

    var accounts: [Account]?
    var aliases: [Alias]?

    var rows: [ImportRow] {
        let accounts = (accounts ?? []).enumerated().map { ImportRow(line: $0 + 1, $1) }
        return accounts + (aliases ?? []).enumerated().map { ImportRow(line: accounts.count + $0 + 1, $1) }
    }
}
