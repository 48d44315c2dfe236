import ArgumentParser
import Credentials
import MailModel
import Platform
import Storage

struct ListAccounts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accounts", abstract: "List the mailboxes of a domain.")

    @Argument(help: "The domain's name.") var domain: String
    @Option(help: "Whose address or name contains this.") var search: String?
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await Shell.run { shell in
            var filter = AccountStore.Filter()
            filter.domainID = try await shell.domain(domain).id
            filter.search = search
            var rows: [[String?]] = [], last: Int64 = 0
            while true {
                let batch = try await shell.database.accounts.batch(filter, after: last, limit: 500, scope: .everything)
                rows += batch.map(AccountTable.row)
                guard batch.count == 500, let end = batch.last?.id else { break }
                last = end
            }
            try output.table(AccountTable.columns, rows)
        }
    }
}

struct CreateAccount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-account", abstract: "Make a mailbox; its password is read from the standard input.")

    @Argument(help: "Its address.") var address: String
    @Option(help: "MB of 2^20 bytes.") var quota = 1024
    @Option(help: "The person's name.") var name = ""
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard let password = readLine(strippingNewline: true) else { throw ValidationError("No password came.") }
        try PasswordRule.check(password)
        let email = try EmailAddress(address)
        let body = NewAccount(local_part: email.localPart, password: password, quota_mb: quota, display_name: name)
        try await Shell.run { shell in
            let domain = try await shell.domain(email.domain.description)
            let passwords = PasswordHash()
            let draft = try body.draft(passwordHash: try await passwords.hash(password))
            let made = try await shell.database.accounts.create(
                domainID: domain.id, draft, scope: .everything, by: .command)
            try output.table(AccountTable.columns, [AccountTable.row(made)])
        }
    }
}

struct SuspendAccount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend", abstract: "Shut a mailbox, and end what is open.")

    @Argument(help: "Its address.") var address: String
    @OptionGroup var output: OutputOptions

    func run() async throws { try await AccountTable.setSuspended(address, true, output) }
}

struct UnsuspendAccount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "unsuspend", abstract: "Open a mailbox again.")

    @Argument(help: "Its address.") var address: String
    @OptionGroup var output: OutputOptions

    func run() async throws { try await AccountTable.setSuspended(address, false, output) }
}

/// A mailbox as a row.
enum AccountTable {
    static let columns = ["id", "email", "status", "quota_mb", "used_mb", "messages", "last_login"]

    static func row(_ account: Account) -> [String?] {
        [
            "\(account.id)", account.email, account.status.rawValue, "\(account.quotaMB)", "\(account.usedMB)",
            "\(account.messages)", account.lastLogin,
        ]
    }

    static func setSuspended(_ address: String, _ suspended: Bool, _ output: OutputOptions) async throws {
        try await Shell.run { shell in
            let account = try await shell.account(address)
            let revocation = try await shell.database.accounts.setSuspended(
                account.id, suspended, scope: .everything, by: .command)
            if let revocation { await shell.platform.announce([revocation]) }
            try output.table(columns, [row(try await shell.account(address))])
        }
    }
}
