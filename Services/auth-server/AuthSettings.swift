import HTTPService
import Platform

/// What auth-server can be told from outside.
struct AuthSettings: ServiceSettings {
    let platform: PlatformSettings
    let signingKeyAge: Duration
    let masterKeyFile: String
    let introspectionCredentials: String
    let bootstrapServiceToken: String?
    let doveadmURL: String?
    let doveadmAPIKey: String
    let accessLifetime: Duration
    let mailLifetime: Duration
    let refreshLifetime: Duration
    let refreshRetryWindow: Duration
    let hashingThreads: Int
    let auditRetention: Duration
    let brand: Page.Brand

    init(_ read: SettingsReader) {
        platform = PlatformSettings(read)
        signingKeyAge = read.duration(
            "signing.key.age", default: .seconds(90 * 86_400), in: .seconds(3600) ... .seconds(3650 * 86_400),
            "A signing key older than this is replaced")
        masterKeyFile = read.string(
            "master.key.file",
            "File of the key that secrets in the database are sealed with (mode 0600), shared by all replicas; made at "
                + "the first start")
        introspectionCredentials = read.secret(
            "introspection.credentials", "user:password that Dovecot and services introspect with")
        bootstrapServiceToken = read.optionalSecret(
            "bootstrap.service.token", "The first service token (xs_…, scope *), kept at start")
        doveadmURL = read.optionalString("doveadm.url", "Dovecot's doveadm HTTP API, where live sessions are ended")
        doveadmAPIKey = read.secret("doveadm.api.key", default: "", "Key of that API")
        // Revocations are remembered for as long as a token can live, and no longer.
        let lives = Duration.seconds(1) ... .seconds(3600)
        accessLifetime = read.duration("access.lifetime", default: .seconds(900), in: lives, "Life of an access token")
        mailLifetime = read.duration("mail.lifetime", default: .seconds(3600), in: lives, "Life of a mail token")
        // The ledger is kept for 90 days.
        refreshLifetime = read.duration(
            "refresh.lifetime", default: .seconds(30 * 86_400), in: .seconds(60) ... .seconds(90 * 86_400),
            "Life of an unused refresh token")
        refreshRetryWindow = read.duration(
            "refresh.retry.window", default: .zero, in: .zero ... .seconds(60),
            "For how long a refresh token may be used once more, when the answer to its first use was lost")
        brand = Page.Brand(
            name: read.string("brand.name", default: "xynap mail", "Whose mail it is, on the pages people see"),
            supportURL: read.optionalString("support.url", "Where the pages send people who need help"))
        auditRetention = read.duration(
            "audit.retention", default: .seconds(400 * 86_400), in: .seconds(86_400) ... .seconds(36_500 * 86_400),
            "How long the audit log is kept")
        hashingThreads = read.int("password.threads", default: 1, in: 1...64, "Passwords hashed at once, 64 MiB each")
    }
}
