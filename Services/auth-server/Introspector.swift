import Credentials
import MailModel
import Metrics
import NIOConcurrencyHelpers
import NIOCore
import Storage

/// Says whether a mail token counts now (RFC 7662 §2.2).
///
/// A token that was verified once is answered from a bounded cache. What may change its answer is checked each time,
/// in memory: its expiry and the revocation set, in which a suspension also shows. The mailbox itself is read again
/// after a minute, so an answer is never older than that even when MariaDB is away.
struct Introspector: Sendable {
    private let keys: KeySet
    private let revocations: RevocationSet
    private let accounts: AccountStore
    private let cache: VerifiedTokens
    private let hits = Counter(label: "introspections_total", dimensions: [("outcome", "active"), ("cache", "hit")])
    private let misses = Counter(label: "introspections_total", dimensions: [("outcome", "active"), ("cache", "miss")])
    private let inactive = Counter(
        label: "introspections_total", dimensions: [("outcome", "inactive"), ("cache", "miss")])

    /// Exactly this for everything that does not count, whatever the reason (RFC 7662 §2.2).
    static let inactiveAnswer = ByteBuffer(string: #"{"active":false}"#)

    init(keys: KeySet, revocations: RevocationSet, accounts: AccountStore, capacity: Int = 20_000) {
        self.keys = keys
        self.revocations = revocations
        self.accounts = accounts
        self.cache = VerifiedTokens(capacity: capacity)
    }

    /// The body of the answer, JSON.
    /// - Throws: `Failure.unavailable` or `.timeout` when the mailbox cannot be read: then it is not known.
    func answer(_ token: String) async throws -> ByteBuffer {
        let now = Timestamp.now()
        if let known = cache.find(token) {
            guard known.claims.exp > now / 1000, !revocations.isRevoked(known.claims) else { return rejected() }
            if known.checkedAt > now - 60_000 {
                hits.increment()
                return known.answer
            }
        }
        guard let claims = try await verified(token) else { return rejected() }
        guard let mailbox = try await accounts.login(email: claims.email), mailbox.isActive else { return rejected() }
        let entry = VerifiedTokens.Entry(claims: claims, checkedAt: now, answer: Self.activeAnswer(claims))
        cache.insert(entry, for: token)
        misses.increment()
        return entry.answer
    }

    private func verified(_ token: String) async throws -> AccessToken? {
        do {
            let claims = try await keys.verify(token, as: .mailAccess)
            return revocations.isRevoked(claims) ? nil : claims
        } catch let failure as Failure where failure.kind == .unauthorized { return nil }
    }

    private func rejected() -> ByteBuffer {
        inactive.increment()
        return Self.inactiveAnswer
    }

    private static func activeAnswer(_ claims: AccessToken) -> ByteBuffer {
        // Every value is of our own making and holds no character that JSON escapes; an address may not hold one.
        ByteBuffer(
            string: """
                {"active":true,"username":"\(claims.email)","scope":"\(claims.scope ?? "")","token_type":"Bearer",\
                "exp":\(claims.exp),"iat":\(claims.issuedAt / 1000),"sub":"\(claims.sub)","client_id":"\(claims.clientID ?? "xynap-mail")",\
                "jti":"\(claims.jti)"}
                """)
    }
}

/// Tokens whose signature was checked, in two generations: what was used lately stays, in bounded memory.
final class VerifiedTokens: Sendable {
    struct Entry: Sendable {
        let claims: AccessToken
        /// When the mailbox was last read: milliseconds since 1970.
        let checkedAt: Int64
        let answer: ByteBuffer
    }

    private struct Generations {
        var young: [String: Entry] = [:]
        var old: [String: Entry] = [:]
    }

    private let generations = NIOLockedValueBox(Generations())
    private let capacity: Int

    /// - Parameter capacity: How many tokens are held at most; half of them in each generation.
    init(capacity: Int) { self.capacity = capacity }

    func find(_ token: String) -> Entry? {
        generations.withLockedValue { generations in
            if let entry = generations.young[token] { return entry }
            guard let entry = generations.old.removeValue(forKey: token) else { return nil }
            generations.young[token] = entry
            return entry
        }
    }

    func insert(_ entry: Entry, for token: String) {
        generations.withLockedValue { generations in
            if generations.young.count >= capacity / 2 {
                generations.old = generations.young
                generations.young = [:]
            }
            generations.young[token] = entry
        }
    }
}
