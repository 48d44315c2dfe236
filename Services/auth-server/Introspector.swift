import Credentials
import Logging
import MailModel
import Metrics
import NIOCore
import Storage

/// Says whether a mail token or an app password counts now (RFC 7662 §2.2).
///
/// What was verified once is answered from a bounded cache. What may change its answer is checked each time, in memory:
/// its expiry and the revocation set, in which a suspension also shows. The mailbox itself is read again after a minute,
/// so an answer is never older than that even when MariaDB is away.
struct Introspector: Sendable {
    private let keys: KeySet
    private let revocations: RevocationSet
    private let accounts: AccountStore
    private let appPasswords: AppPasswordStore
    private let logger: Logger
    private let cache: VerifiedCredentials
    private let hits = Self.counter("active", cache: "hit")
    private let misses = Self.counter("active", cache: "miss")
    private let inactive = Self.counter("inactive", cache: "miss")

    /// How long the mailbox is not read again: milliseconds.
    private static let freshness: Int64 = 60_000

    /// Exactly this for everything that does not count, whatever the reason (RFC 7662 §2.2).
    static let inactiveAnswer = ByteBuffer(string: #"{"active":false}"#)

    init(keys: KeySet, revocations: RevocationSet, database: Database, logger: Logger, capacity: Int = 20_000) {
        self.keys = keys
        self.revocations = revocations
        self.accounts = database.accounts
        self.appPasswords = database.appPasswords
        self.logger = logger
        self.cache = VerifiedCredentials(capacity: capacity)
    }

    /// Where a credential is shown, as Dovecot tells it.
    struct Login: Sendable {
        /// What it must allow; empty where nobody says what for.
        var wanted: MailScope = []
        /// The client's address.
        var ip: String?
    }

    /// The body of the answer, JSON.
    /// - Throws: `Failure.unavailable` or `.timeout` when the mailbox, or what was revoked, cannot be read: then it is not
    ///   known.
    func answer(_ token: String, at login: Login) async throws -> ByteBuffer {
        try revocations.requireLoaded()
        if let known = known(token, at: login) { return known }
        let found =
            if let secret = OpaqueToken(token, kind: .app) { try await verify(secret, at: login) } else {
                try await verify(token)
            }
        guard let found, found.scope.isSuperset(of: login.wanted) else {
            inactive.increment()
            return Self.inactiveAnswer
        }
        cache.insert(found, for: token)
        misses.increment()
        return found.answer
    }

    /// The answer for what was verified lately, without asking anybody; nil when it is to be verified.
    func known(_ token: String, at login: Login) -> ByteBuffer? {
        guard revocations.isLoaded, let known = cache.find(token) else { return nil }
        let now = Timestamp.now()
        guard known.checkedAt > now - Self.freshness, known.expiresAt > now else { return nil }
        switch known.credential {
        case .token(let claims): guard !revocations.isRevoked(claims) else { return nil }
        case .appPassword(let id, let email, let creator):
            guard !revocations.isRevoked(jti: AppPasswordStore.jti(id)),
                !revocations.isRevoked(.account, email, since: known.checkedAt),
                creator.map({ !revocations.isRevoked(.user, $0, since: known.checkedAt) }) ?? true
            else { return nil }
        }
        guard known.scope.isSuperset(of: login.wanted) else { return nil }
        hits.increment()
        return known.answer
    }

    /// The answer for a new token of a mailbox that was read within the minute; nil when more is to be asked.
    func verified(_ token: String, at login: Login) async -> ByteBuffer? {
        guard revocations.isLoaded, OpaqueToken(token, kind: .app) == nil,
            let claims = try? await keys.verify(token, as: .mailAccess), !revocations.isRevoked(claims),
            let checkedAt = cache.lastSeen(claims.email), checkedAt > Timestamp.now() - Self.freshness,
            !revocations.isRevoked(.account, claims.email, since: checkedAt)
        else { return nil }
        let entry = Self.entry(claims, checkedAt: checkedAt)
        guard entry.scope.isSuperset(of: login.wanted) else { return nil }
        cache.insert(entry, for: token)
        misses.increment()
        return entry.answer
    }

    private func verify(_ token: String) async throws -> VerifiedCredentials.Entry? {
        let now = Timestamp.now()
        let claims: AccessToken
        do { claims = try await keys.verify(token, as: .mailAccess) } catch let failure as Failure
            where failure.kind == .unauthorized
        { return nil }
        guard !revocations.isRevoked(claims), let mailbox = try await accounts.login(email: claims.email),
            mailbox.isActive
        else { return nil }
        cache.noteSeen(claims.email, at: now)
        return Self.entry(claims, checkedAt: now)
    }

    private static func entry(_ claims: AccessToken, checkedAt: Int64) -> VerifiedCredentials.Entry {
        .init(
            credential: .token(claims), scope: MailScope(claims.scope) ?? [], checkedAt: checkedAt,
            expiresAt: claims.exp * 1000, answer: answer(claims))
    }

    private func verify(_ secret: OpaqueToken, at login: Login) async throws -> VerifiedCredentials.Entry? {
        let now = Timestamp.now()
        guard let found = try await appPasswords.login(hash: secret.hash), found.isActive,
            !revocations.isRevoked(jti: AppPasswordStore.jti(found.id)), let scope = MailScope(found.scope)
        else { return nil }
        if found.lastUsedAt < now - 60_000, scope.isSuperset(of: login.wanted) {
            // Who uses it is let in also when that cannot be written down.
            do { try await appPasswords.recordUse(found.id, ip: login.ip) } catch {
                logger.warning("Last use of an app password not noted", metadata: ["id": "\(found.id)"])
            }
        }
        // Dovecot wants an end, and asks again at the next login.
        let expiresAt = found.expiresAt ?? now + 86_400_000
        return .init(
            credential: .appPassword(id: found.id, email: found.email, creator: found.createdBy), scope: scope,
            checkedAt: now,
            expiresAt: expiresAt, answer: Self.answer(found, expiresAt: expiresAt))
    }

    private static func counter(_ outcome: String, cache: String) -> Counter {
        Counter(label: "introspections_total", dimensions: [("outcome", outcome), ("cache", cache)])
    }

    // Every value below is of our own making and holds no character that JSON escapes; an address may not hold one.

    private static func answer(_ claims: AccessToken) -> ByteBuffer {
        ByteBuffer(
            string: """
                {"active":true,"username":"\(claims.email)","scope":"\(claims.scope ?? "")","token_type":"Bearer",\
                "exp":\(claims.exp),"iat":\(claims.issuedAt / 1000),"sub":"\(claims.sub)",\
                "client_id":"\(claims.clientID ?? "xynap-mail")","jti":"\(claims.jti)"}
                """)
    }

    private static func answer(_ found: AppPasswordStore.Login, expiresAt: Int64) -> ByteBuffer {
        ByteBuffer(
            string: """
                {"active":true,"username":"\(found.email)","scope":"\(found.scope)","token_type":"Bearer",\
                "exp":\(expiresAt / 1000),"iat":\(found.createdAt / 1000),"sub":"\(found.email)",\
                "client_id":"app-password","jti":"\(AppPasswordStore.jti(found.id))"}
                """)
    }
}
