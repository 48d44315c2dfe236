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
    /// A new key is published for so long before it signs: whoever verifies asks for the keys every five minutes, and
    /// may have an answer that was kept as long (`MetadataRoutes`).
    static let publication = Duration.seconds(720)

    /// The private keys in PEM, the one that signs first; the first key is made here, and one too old replaced.
    ///
    /// - Throws: `SecretBox.Unopenable` with another master key than theirs: never is a new key made over it.
    func load() async throws -> [String] {
        let now = Timestamp.now()
        var keys = try await database.signingKeys.all()
        let isDue = keys.map(\.createdAt).max().map { $0 < now - longestUse.milliseconds } ?? true
        let pems = try opened(keys)
        guard isDue else { return pems }
        // Of the first one nobody can have another answer.
        try await rotate(
            ifOlderThan: keys.isEmpty ? 1 : now - longestUse.milliseconds,
            publishedFor: keys.isEmpty ? .zero : Self.publication)
        try await database.signingKeys.purge(retiredBefore: now - longestToken.milliseconds - Self.margin)
        keys = try await database.signingKeys.all()
        return try opened(keys)
    }

    /// Makes a new key, which is published at once and signs after a while; the old one signs until then, and goes on
    /// verifying until its last token is dead.
    ///
    /// - Parameters:
    ///   - horizon: Only if the newest one is older, in milliseconds since 1970.
    ///   - publication: How long it is published before it signs.
    /// - Returns: The id of the new key; nil when there is none.
    @discardableResult func rotate(
        ifOlderThan horizon: Int64, publishedFor publication: Duration, by actor: String = "system"
    ) async throws -> String? {
        let (pem, kid) = try SigningKeys.newKey()
        let now = Timestamp.now()
        let key = SigningKeyStore.Key(
            kid: kid, sealed: try box.seal(Array(pem.utf8), purpose: Self.purpose), createdAt: now,
            activeFrom: now + publication.milliseconds)
        guard try await database.signingKeys.rotate(to: key, ifOlderThan: horizon) else { return nil }
        try await database.audit.record(.init(actor: actor, action: "key.rotated", target: kid))
        logger.notice("A new key was made", metadata: ["kid": "\(kid)", "signs_in": "\(publication)"])
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
