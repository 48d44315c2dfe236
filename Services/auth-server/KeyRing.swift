import Credentials
import Logging
import MailModel
import Storage

/// Keeps the signing keys: sealed in the database, shared by all replicas, replaced by age or on demand.
struct KeyRing: Sendable {
    let database: Database
    let box: SecretBox
    /// How old the key that signs may become.
    let longestUse: Duration
    /// How long a token lives: a retired key is needed that long.
    let longestToken: Duration
    let logger: Logger

    init(database: Database, box: SecretBox, settings: AuthSettings, logger: Logger) {
        self.database = database
        self.box = box
        longestUse = settings.signingKeyAge
        longestToken = max(settings.accessLifetime, settings.mailLifetime)
        self.logger = logger
    }

    private static let purpose = "signing key"
    /// Added to a token's life: a replica may sign with the old key until it hears of the new one, and clocks differ.
    private static let margin: Int64 = 120_000

    /// The private keys in PEM, the one that signs first; the first key is made here, and one too old replaced.
    ///
    /// - Throws: `SecretBox.Unopenable` with another master key than theirs: never is a new key made over it.
    func load() async throws -> [String] {
        let now = Timestamp.now()
        var keys = try await database.signingKeys.all()
        let isDue = keys.first.map { $0.createdAt < now - longestUse.milliseconds } ?? true
        let pems = try opened(keys)
        guard isDue else { return pems }
        try await rotate(ifOlderThan: keys.isEmpty ? 1 : now - longestUse.milliseconds)
        try await database.signingKeys.purge(retiredBefore: now - longestToken.milliseconds - Self.margin)
        keys = try await database.signingKeys.all()
        return try opened(keys)
    }

    /// Makes a new key sign; the old one goes on verifying until its last token is dead.
    ///
    /// - Parameter horizon: Only if the present one is older, in milliseconds since 1970.
    /// - Returns: The id of the new key; nil when there is none.
    @discardableResult func rotate(
        ifOlderThan horizon: Int64, by actor: String = "system"
    ) async throws -> String? {
        let (pem, kid) = try SigningKeys.newKey()
        let key = SigningKeyStore.Key(
            kid: kid, sealed: try box.seal(Array(pem.utf8), purpose: Self.purpose), createdAt: Timestamp.now())
        guard try await database.signingKeys.rotate(to: key, ifOlderThan: horizon) else { return nil }
        try await database.audit.record(.init(actor: actor, action: "key.rotated", target: kid))
        logger.notice("A new key signs", metadata: ["kid": "\(kid)"])
        return kid
    }

    /// Forgets keys that nothing is verified with any more.
    func purge() async throws {
        try await database.signingKeys.purge(
            retiredBefore: Timestamp.now() - longestToken.milliseconds - Self.margin)
    }

    private func opened(_ keys: [SigningKeyStore.Key]) throws -> [String] {
        do {
            return try keys.map { String(decoding: try box.open($0.sealed, purpose: Self.purpose), as: UTF8.self) }
        } catch {
            logger.critical("The signing keys were sealed with another master key than ours; see XYNAP_MASTER_KEY_FILE")
            throw error
        }
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 { components.seconds * 1000 }
}
