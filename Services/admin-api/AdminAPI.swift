import ArgumentParser
import Credentials
import HTTPService
import Platform
import Storage

/// Domains with their DNS and DKIM keys, mailboxes and aliases.
@main struct AdminAPI: ServiceProgram {
    static let name = "admin-api"
    static let defaultPort = 8082
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static let commands: [any AsyncParsableCommand.Type] = [MailCtl.self]

    static func assemble(_ service: ServiceAssembly, settings: AdminSettings) async throws {
        let verifier = KeySet(url: settings.jwksURL, issuer: settings.platform.issuer, logger: service.logger)
        let platform = Platform(service, settings: settings.platform, keys: verifier)
        let hosting = Hosting(settings, database: platform.database, logger: service.logger)
        let passwords = PasswordHash(threads: settings.hashingThreads)
        let policy = SendingPolicy(
            platform: platform, defaultLimit: settings.sendLimit, host: service.server.host, port: settings.policyPort,
            logger: service.logger)

        service.run("signing keys") { try await hosting.reserve.fill() }
        service.run("DNS outcomes") { try await hosting.dns.flushOutcomes() }
        service.run("caretaker") { try await hosting.caretaker.run() }
        service.run("sending policy") { try await policy.run() }
        if let publisher = hosting.dns.publisher {
            service.readiness.add(publisher.name, isCritical: false) { await publisher.ping() ? .ok : .down }
        }

        DomainRoutes(platform: platform, hosting: hosting, grace: settings.grace).add(to: service.router)
        DNSRoutes(platform: platform, hosting: hosting).add(to: service.router)
        AccountRoutes(
            platform: platform, passwords: passwords, caretaker: hosting.caretaker, grace: settings.grace
        ).add(to: service.router)
        AliasRoutes(platform: platform).add(to: service.router)
        LimitRoutes(platform: platform).add(to: service.router)
        SieveRoutes(
            platform: platform, scripts: try SieveScripts(settings)
        ).add(to: service.router)
        TransferRoutes(platform: platform, passwords: passwords).add(to: service.router)
        AuditRoutes(platform: platform, path: "/api/v1/mail/audit").add(to: service.router)
        ClientRoutes(
            domains: platform.database.domains, settings: settings.clients, mtaSTS: settings.dns.template.mtaSTS
        ).add(to: service.router)
    }
}
