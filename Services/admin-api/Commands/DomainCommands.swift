import ArgumentParser
import MailModel
import Platform
import Storage

struct ListDomains: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "domains", abstract: "List domains.")

    @Option(help: "Of this customer, by id.") var customer: Int64?
    @Option(help: "Whose name contains this.") var search: String?
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await Shell.run { shell in
            var filter = DomainStore.Filter()
            filter.customerID = customer
            filter.search = search
            var rows: [[String?]] = [], page = 1
            while true {
                let found = try await shell.database.domains.list(
                    filter, PageRequest(page: page, perPage: 200), scope: .everything)
                rows += found.items.map(DomainTable.row)
                guard found.items.count == 200 else { break }
                page += 1
            }
            try output.table(DomainTable.columns, rows)
        }
    }
}

struct CreateDomain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-domain", abstract: "Host a domain: its keys are made and its records written.")

    @Argument(help: "Its name.") var domain: String
    @Option(help: "The customer it is for, by id.") var customer: Int64
    @Flag(help: "Its DNS is kept by hand: write no records.") var manualDNS = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await Shell.run { shell in
            let made = try await shell.hosting.maker.make(
                .init(name: domain, customerID: customer, hasManualDNS: manualDNS, isOfPlatform: true),
                by: .command)
            try output.table(
                ["name", "type", "value"], made.records.map { [$0.name, $0.type.rawValue, $0.value] })
        }
    }
}

struct SuspendDomain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend-domain", abstract: "Shut all mailboxes of a domain, and end what is open.")

    @Argument(help: "Its name.") var domain: String
    @OptionGroup var output: OutputOptions

    func run() async throws { try await DomainTable.setSuspended(domain, true, output) }
}

struct UnsuspendDomain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unsuspend-domain", abstract: "Open the mailboxes of a domain again.")

    @Argument(help: "Its name.") var domain: String
    @OptionGroup var output: OutputOptions

    func run() async throws { try await DomainTable.setSuspended(domain, false, output) }
}

struct CheckDNS: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dns", abstract: "Compare the records a domain wants with what the world answers.",
        discussion: "Ends with status 1 when they do not agree.")

    @Argument(help: "The domain's name.") var domain: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var agrees = true
        try await Shell.run { shell in
            let found = try await shell.domain(domain)
            let wanted = shell.hosting.dns.records(of: try await shell.database.domains.provisioning(found.id))
            let report = await DNSReport(of: found, records: wanted, resolver: shell.hosting.resolver)
            try output.table(
                ["name", "type", "status", "message", "value"],
                report.records.map { [$0.name, $0.type.rawValue, $0.status.rawValue, $0.message, $0.value] })
            agrees = report.agrees
        }
        if !agrees { throw ExitCode(1) }
    }
}

struct SyncDNS: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync-dns", abstract: "Write the records of a domain once more.")

    @Argument(help: "The domain's name.") var domain: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await Shell.run { shell in
            let found = try await shell.domain(domain)
            try await shell.database.domains.requireDNS(found.id, takesZones: true)
            let dns = try await shell.hosting.dns.provision(shell.database.domains.provisioning(found.id))
            try output.table(["domain", "dns", "detail"], [[found.domain, dns.status.rawValue, dns.detail]])
        }
    }
}

struct RotateDKIM: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-dkim", abstract: "Make new DKIM keys; they sign once the DNS shows them.")

    @Argument(help: "The domain's name.") var domain: String
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await Shell.run { shell in
            let found = try await shell.domain(domain)
            try await shell.hosting.rotation.begin(found.id, scope: .everything, by: .command)
            let keys = try await shell.database.dkimKeys.list(domainID: found.id, scope: .everything)
            try output.table(
                ["selector", "algorithm", "state"],
                keys.map { [$0.selector, $0.algorithm.rawValue, $0.state.rawValue] })
        }
    }
}

/// A domain as a row.
enum DomainTable {
    static let columns = ["id", "domain", "customer_id", "status", "accounts", "aliases", "used_mb", "dns"]

    static func row(_ domain: Domain) -> [String?] {
        [
            "\(domain.id)", domain.domain, "\(domain.customerID)", domain.status.rawValue, "\(domain.accounts)",
            "\(domain.aliases)", "\(domain.usedMB)", domain.dns.status.rawValue,
        ]
    }

    static func setSuspended(_ name: String, _ suspended: Bool, _ output: OutputOptions) async throws {
        try await Shell.run { shell in
            let found = try await shell.domain(name)
            await shell.platform.announce(
                try await shell.database.domains.setSuspended(found.id, suspended, scope: .everything, by: .command))
            try output.table(columns, [row(try await shell.domain(name))])
        }
    }
}
