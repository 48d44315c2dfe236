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
    /// Of an alias: whether who receives through it may send as it.
    var sendAs: String?

    static let columns = [
        "email", "password", "password_hash", "quota_mb", "display_name", "send_limit", "destination", "send_as",
    ]
    /// What an export tells beside, and an import does not ask for.
    static let ignoredColumns = ["id", "status"]

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
            case "send_as": sendAs = cell
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
        sendAs = alias.send_as.map { "\($0)" }
    }

    /// What is to be made, once nothing is wrong with it.
    enum Work: Sendable, Equatable {
        /// The hash of the draft is empty until the password is hashed; without a password it is none that can be made,
        /// only one that is there.
        case account(AccountStore.Draft, domain: DomainName, password: String?)
        case alias(AliasStore.Draft, domain: DomainName)

        /// Of a mailbox.
        var address: String? {
            if case .account(let draft, let domain, _) = self { "\(draft.localPart)@\(domain)" } else { nil }
        }

        /// Whether it can be made: a mailbox that is not there needs a password.
        var isComplete: Bool {
            if case .account(let draft, _, nil) = self { !draft.passwordHash.isEmpty } else { true }
        }

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
                .init(
                    source: source, destinations: try AliasRule.destinations(destination),
                    sendAs: try flag(sendAs, "send_as") ?? true), domain: domain)
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
        case (nil, nil): return ""
        case (_?, _?):
            throw Failure.invalid("password", code: "ambiguous", "give a password or a password_hash, not both")
        }
    }

    private func flag(_ text: String?, _ field: String) throws -> Bool? {
        guard let text else { return nil }
        guard let flag = Bool(text.lowercased()) else {
            throw Failure.invalid(field, code: "not_a_flag", "must be true or false")
        }
        return flag
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
        // What an export tells of a mailbox beside; nothing of it is taken.
        var id: Int64?
        var domain_id: Int64?
        var used_mb: Int?
        var messages: Int?
        var status: String?
        var last_login: String?
        var created_at: String?
        var deleted_at: String?
        var purge_at: String?
    }

    struct Alias: Decodable {
        /// An address, or `*@` and the domain.
        let source: String
        let destination: Destinations
        var send_as: Bool?
    }

    var accounts: [Account]?
    var aliases: [Alias]?

    var rows: [ImportRow] {
        let accounts = (accounts ?? []).enumerated().map { ImportRow(line: $0 + 1, $1) }
        return accounts + (aliases ?? []).enumerated().map { ImportRow(line: accounts.count + $0 + 1, $1) }
    }
}
