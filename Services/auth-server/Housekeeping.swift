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
            var failures = 0
            while !Task.isCancelled {
                do {
                    try await keepBootstrapToken()
                    try await database.oauthClients.keepPresets(OAuthClient.presets)
                    try await purge()
                    failures = 0
                } catch {
                    failures += 1
                    // At first the database, or its schema, is not there yet.
                    logger.log(
                        level: failures < 8 ? .debug : .warning, "Housekeeping put off",
                        metadata: ["error": "\(error)", "failures": "\(failures)"])
                }
                try? await Task.sleep(for: Self.pause(after: failures))
            }
        }
    }

    /// How long until the next round: an hour, or after failures a quarter of a second and longer and longer.
    static func pause(after failures: Int) -> Duration {
        failures == 0 ? .seconds(3600) : min(.seconds(300), .milliseconds(250) * (1 << max(0, min(failures, 20) - 8)))
    }

    private func keepBootstrapToken() async throws {
        guard let bootstrapToken else { return }
        guard let token = OpaqueToken(bootstrapToken, kind: .service) else {
            logger.error(
                "The bootstrap service token is not kept: it must begin with xs_ and have 20 to 200 characters")
            return
        }
        guard try await database.serviceTokens.keepBootstrap(hash: token.hash) else {
            logger.warning("The bootstrap service token was deleted and does not count; take it out of the settings")
            return
        }
    }

    private func purge() async throws {
        try await keys.purge()
        try await database.sessions.purgeExpired()
        try await database.authorizationCodes.purge()
        try await database.deviceCodes.purge()
        try await database.mailTokens.purge()
        try await database.audit.purge(before: Timestamp.now() - auditRetention.components.seconds * 1000)
        try await database.oauthClients.purge(
            unusedSince: Timestamp.now() - 90 * 86_400_000, neverUsedSince: Timestamp.now() - 86_400_000)
        // As long as a refresh token lives, which asks the ledger whether its owner was revoked since.
        try await database.revocations.purge(before: Timestamp.now() - 90 * 86_400_000)
    }
}
