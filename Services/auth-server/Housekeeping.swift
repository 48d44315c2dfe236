import Credentials
import Logging
import MailModel
import ServiceLifecycle
import Storage

/// Keeps the first service token, and forgets what can never count again.
struct Housekeeping: Service {
    let database: Database
    let keys: KeyRing
    let bootstrapToken: String?
    let auditRetention: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await keepBootstrapToken()
                    try await database.oauthClients.keepPresets(OAuthClient.presets)
                    try await purge()
                    try await Task.sleep(for: .seconds(3600))
                } catch {
                    // The database, or its schema, is not there yet.
                    logger.debug("Housekeeping put off", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .milliseconds(250))
                }
            }
        }
    }

    private func keepBootstrapToken() async throws {
        guard let bootstrapToken else { return }
        guard let token = OpaqueToken(bootstrapToken, kind: .service) else {
            logger.error(
                "The bootstrap service token is not kept: it must begin with xs_ and have 20 to 200 characters")
            return
        }
        try await database.serviceTokens.create(name: "bootstrap", hash: token.hash, scopes: ["*"])
    }

    private func purge() async throws {
        try await keys.purge()
        try await database.sessions.purgeExpired()
        try await database.authorizationCodes.purge()
        try await database.deviceCodes.purge()
        try await database.mailTokens.purge()
        try await database.audit.purge(before: Timestamp.now() - auditRetention.components.seconds * 1000)
        try await database.oauthClients.purge(unusedSince: Timestamp.now() - 90 * 86_400_000)
        // As long as a refresh token lives, which asks the ledger whether its owner was revoked since.
        try await database.revocations.purge(before: Timestamp.now() - 90 * 86_400_000)
    }
}
