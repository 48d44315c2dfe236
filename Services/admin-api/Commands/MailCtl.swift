import ArgumentParser
import EventBus
import HTTPService
import Logging
import MailModel
import Platform
import Storage

/// The platform's domains and mailboxes, for people at a shell.
struct MailCtl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailctl", abstract: "Look after domains and mailboxes at a shell.",
        subcommands: [
            ListDomains.self, CreateDomain.self, SuspendDomain.self, UnsuspendDomain.self, CheckDNS.self, SyncDNS.self,
            RotateDKIM.self, ListAccounts.self, CreateAccount.self, SuspendAccount.self, UnsuspendAccount.self,
        ])
}

/// What every command has: the settings of the service, its database, and a way to print.
struct Shell {
    let settings: AdminSettings
    let platform: Platform
    var database: Database { platform.database }
    let hosting: Hosting

    /// Runs `body` with all of it, and closes what was opened.
    static func run(_ body: (Shell) async throws -> Void) async throws {
        let settings = await AdminAPI.commandSettings()
        let logger = Logger(label: "mailctl")
        let platform = Platform(command: settings.platform, logger: logger)
        let shell = Shell(
            settings: settings, platform: platform,
            hosting: Hosting(settings, database: platform.database, logger: logger))
        try await platform.database.migrate()
        try await body(shell)
        await shell.hosting.dns.flushOutcomesNow()
        await platform.bus.close()
        await platform.database.close()
    }

    /// - Throws: `Failure.notFound`.
    func domain(_ name: String) async throws -> Domain {
        guard let domain = try await database.domains.find(name: DomainName(name), scope: .everything) else {
            throw Failure.notFound("This domain")
        }
        return domain
    }

    /// - Throws: `Failure.notFound`.
    func account(_ address: String) async throws -> Account {
        guard
            let account = try await database.accounts.find(email: EmailAddress(address).description, scope: .everything)
        else { throw Failure.notFound("This mailbox") }
        return account
    }
}

/// How the answer is printed.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON.") var json = false

    func table(_ columns: [String], _ rows: [[String?]]) throws {
        try CommandOutput(isJSON: json).table(columns, rows)
    }
}
