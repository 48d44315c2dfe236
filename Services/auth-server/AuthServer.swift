import Credentials
import HTTPService
import Platform
import Storage

/// Logins, tokens, introspection and revocation. Alone holds the signing key.
@main struct AuthServer: ServiceProgram {
    static let name = "auth-server"
    static let defaultPort = 8081
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static func assemble(_ service: ServiceAssembly, settings: AuthSettings) async throws {
        let keys = try await SigningKeys(file: settings.signingKeyFile, issuer: settings.platform.issuer)
        let ender = SessionEnder(
            doveadm: settings.doveadmURL.map { Doveadm(base: $0, apiKey: settings.doveadmAPIKey) },
            logger: service.logger)
        let platform = try Platform(service, settings: settings.platform, keys: keys.keySet) { ender.end($0) }
        let database = platform.database
        let passwords = PasswordHash(threads: settings.hashingThreads)
        let issuer = TokenIssuer(
            keys: keys, issuer: settings.platform.issuer, sessions: database.sessions,
            accessLifetime: settings.accessLifetime, mailLifetime: settings.mailLifetime,
            refreshLifetime: settings.refreshLifetime)
        let introspector = Introspector(
            keys: keys.keySet, revocations: platform.revocations, accounts: database.accounts)

        let passwordLogin = PasswordLogin(platform: platform, passwords: passwords)
        let revoker = Revoker(platform: platform)

        service.run(ender)
        service.run(
            Housekeeping(database: database, bootstrapToken: settings.bootstrapServiceToken, logger: service.logger))

        LoginRoutes(
            platform: platform, issuer: issuer, passwordLogin: passwordLogin, revoker: revoker
        ).add(to: service.router)
        MailTokenRoutes(platform: platform, issuer: issuer).add(to: service.router)
        IntrospectionRoutes(
            platform: platform, introspector: introspector,
            credential: BasicCredential(settings.introspectionCredentials)
        ).add(to: service.router)
        RevocationRoutes(platform: platform, revoker: revoker).add(to: service.router)
        PeopleRoutes(platform: platform, passwords: passwords).add(to: service.router)
        MetadataRoutes(jwks: keys.jwks, issuer: settings.platform.issuer).add(to: service.router)
    }
}
