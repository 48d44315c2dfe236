import DNS
import Logging
import Storage

/// What stands behind a domain beside its row: DNS, keys, folders; for the service and for commands at a shell.
struct Hosting: Sendable {
    let reserve: KeyReserve
    let dns: DNSProvisioning
    let resolver: DNSClient
    let maker: DomainMaker
    let rotation: DKIMRotation
    let caretaker: Caretaker

    init(_ settings: AdminSettings, database: Database, logger: Logger) {
        reserve = KeyReserve(directory: settings.dkimDirectory)
        resolver = settings.dns.resolver
        let keys = DKIMKeys(directory: settings.dkimDirectory, reserve: reserve)
        dns = DNSProvisioning(
            domains: database.domains, template: settings.dns.template, publisher: settings.dns.publisher,
            logger: logger)
        maker = DomainMaker(
            database: database, names: HostedName(reserved: settings.reservedNames), keys: keys, dns: dns,
            selector: settings.dkimSelector)
        rotation = DKIMRotation(
            store: database.dkimKeys, domains: database.domains, keys: keys, dns: dns, resolver: resolver,
            retention: settings.dkimRetention, logger: logger)
        caretaker = Caretaker(
            database: database, dns: dns, rotation: rotation, keys: keys,
            folders: MailFolders(root: settings.mailFolders), logger: logger)
    }
}
