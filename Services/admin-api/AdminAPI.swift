import Credentials
import HTTPService
import Platform
import Storage

/// Domains with their DNS and DKIM keys, mailboxes and aliases.
@main struct AdminAPI: ServiceProgram {
    static let name = "admin-api"
    static let defaultPort = 8082
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static func assemble(_ service: ServiceAssembly, settings: AdminSettings) async throws {
        let keys = KeySet(url: settings.jwksURL, issuer: settings.platform.issuer, logger: service.logger)
        let platform = try Platform(service, settings: settings.platform, keys: keys)
        let database = platform.database
        let powerDNS = PowerDNS(
            base: settings.powerDNSURL, apiKey: settings.powerDNSAPIKey, nameservers: settings.nameservers)
        let dns = DNSProvisioning(
            domains: database.domains, template: settings.dns, dns: powerDNS, logger: service.logger)
        let dkim = DKIMKeys(directory: settings.dkimDirectory, selector: settings.dkimSelector)
        let passwords = PasswordHash(threads: settings.hashingThreads)

        service.run(dns)
        service.readiness.add("powerdns", isCritical: false) { await powerDNS.ping() ? .ok : .down }

        DomainRoutes(platform: platform, dkim: dkim, dns: dns).add(to: service.router)
        AccountRoutes(platform: platform, passwords: passwords).add(to: service.router)
        AliasRoutes(platform: platform).add(to: service.router)
    }
}
