import ArgumentParser
import Credentials
import HTTPService
import Platform
import Storage

/// Logins, tokens, introspection and revocation. Alone holds the signing key.
@main struct AuthServer: ServiceProgram {
    static let name = "auth-server"
    static let defaultPort = 8081
    static let openAPI = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)

    static let commands: [any AsyncParsableCommand.Type] = [
        CreateToken.self, RotateKeys.self, Revoke.self, Sessions.self, ResetTOTP.self,
    ]

    static func assemble(_ service: ServiceAssembly, settings: AuthSettings) async throws {
        let box = try SecretBox(file: settings.masterKeyFile)
        let stores = settings.platform.impatient
        let database = Database(stores.database)
        let ender = SessionEnder(
            doveadm: settings.doveadmURL.map { Doveadm(base: $0, apiKey: settings.doveadmAPIKey) },
            ledger: database.revocations, logger: service.logger)
        let ring = KeyRing(
            database: database, box: box, settings: settings, logger: service.logger)
        let keys = SigningKeys(issuer: settings.platform.issuer) { try await ring.load() }
        let platform = Platform(
            service, settings: stores, database: database, keys: keys.keySet, box: box
        ) { await ender.end($0) }
        let passwords = PasswordHash(threads: settings.hashingThreads)
        let issuer = TokenIssuer(
            keys: keys, issuer: settings.platform.issuer, sessions: database.sessions,
            mailTokens: database.mailTokens,
            accessLifetime: settings.accessLifetime, mailLifetime: settings.mailLifetime,
            refreshLifetime: settings.refreshLifetime, refreshRetryWindow: settings.refreshRetryWindow)
        let introspector = Introspector(
            keys: keys.keySet, revocations: platform.revocations, database: database, logger: service.logger)

        let secondFactor = SecondFactor(store: database.secondFactors, box: box)
        let passwordLogin = PasswordLogin(
            platform: platform, passwords: passwords, secondFactor: secondFactor,
            throttle: LoginThrottle(bus: platform.bus))
        let revoker = Revoker(platform: platform)
        let rates = RateBound(bus: platform.bus)
        let mailTokens = MailTokens(platform: platform, issuer: issuer, rates: rates)

        service.readiness.add("signing keys") { keys.keySet.isLoaded ? .ok : .down }
        service.run(ender)
        service.run(
            Housekeeping(
                database: database, keys: ring, bootstrapToken: settings.bootstrapServiceToken,
                auditRetention: settings.auditRetention, logger: service.logger))

        LoginRoutes(
            platform: platform, issuer: issuer, passwordLogin: passwordLogin, revoker: revoker, rates: rates
        ).add(to: service.router)
        SecondFactorRoutes(
            platform: platform, secondFactor: secondFactor, passwordLogin: passwordLogin, rates: rates,
            issuerName: settings.platform.issuer
        ).add(to: service.router)
        SessionRoutes(platform: platform, revoker: revoker).add(to: service.router)
        AppPasswordRoutes(platform: platform, revoker: revoker, passwordLogin: passwordLogin).add(to: service.router)
        MailTokenRoutes(platform: platform, mailTokens: mailTokens).add(to: service.router)
        OAuthTokenRoutes(
            platform: platform, issuer: issuer, mailTokens: mailTokens, passwordLogin: passwordLogin, revoker: revoker
        ).add(to: service.router)
        SignInPages(
            platform: platform, passwordLogin: passwordLogin, secondFactor: secondFactor, mailTokens: mailTokens,
            rates: rates, seal: PageSeal(box: box), issuer: settings.platform.issuer, brand: settings.brand
        ).add(to: service.router)
        DeviceAuthorization(platform: platform, issuer: settings.platform.issuer).add(to: service.router)
        ClientRegistration(platform: platform, rates: rates, brand: settings.brand.name).add(to: service.router)
        IntrospectionRoutes(
            platform: platform, introspector: introspector,
            credential: BasicCredential(settings.introspectionCredentials)
        ).add(to: service)
        RevocationRoutes(platform: platform, revoker: revoker).add(to: service.router)
        CustomerRoutes(platform: platform, revoker: revoker).add(to: service.router)
        UserRoutes(platform: platform, passwords: passwords, revoker: revoker).add(to: service.router)
        PasswordRoutes(
            platform: platform, passwords: passwords, passwordLogin: passwordLogin, revoker: revoker
        ).add(to: service.router)
        ServiceTokenRoutes(platform: platform, revoker: revoker).add(to: service.router)
        AuditRoutes(platform: platform, path: "/api/v1/auth/audit").add(to: service.router)
        MetadataRoutes(keys: keys, issuer: settings.platform.issuer).add(to: service.router)
    }
}
