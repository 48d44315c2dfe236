import MailModel
import Testing

@testable import Credentials

@Suite struct PasswordHashTests {
    @Test func hashesVerify() async throws {
        let passwords = PasswordHash(threads: 2)
        let hash = try await passwords.hash("pässword")
        #expect(hash.hasPrefix("{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$"))
        #expect(try await passwords.verify("pässword", against: hash))
        #expect(try await !passwords.verify("password", against: hash))
        #expect(try await !passwords.verify("", against: hash))
        #expect(try await !passwords.verify("x", against: "{PLAIN}x"))
        #expect(try await !passwords.verify("x", against: "{ARGON2ID}$argon2id$nonsense"))
        await #expect(throws: Failure.self) { try await passwords.hash("") }
        try await passwords.verifyDummy("whatever")
        try await passwords.shutdown()
    }

    @Test func theQueueIsBounded() async throws {
        let passwords = PasswordHash(threads: 1, queueLimit: 2)
        let refusals = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    do {
                        try await passwords.verifyDummy("x")
                        return false
                    } catch {
                        return (error as? Failure)?.kind == .unavailable
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect((1...7).contains(refusals))
        try await passwords.verifyDummy("x")
        try await passwords.shutdown()
    }
}

@Suite struct OpaqueTokenTests {
    @Test func tokensHaveAPrefixAndAHash() {
        let token = OpaqueToken(new: .service)
        #expect(token.text.hasPrefix("xs_") && token.text.utf8.count == 35)
        #expect(OpaqueToken(token.text, kind: .service) == token)
        #expect(OpaqueToken(token.text, kind: .refresh) == nil)
        #expect(OpaqueToken("xs_short", kind: .service) == nil)
        #expect(OpaqueToken(new: .service) != token)
        #expect(OpaqueToken.hash(of: "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
}

@Suite struct RevocationSetTests {
    let now = Timestamp.now()

    func access(_ jti: String = "j", subject: String = "user:1", family: String = "f", issued: Int64) -> AccessToken {
        .access(
            issuer: "i", subject: subject, jti: jti, issuedAt: issued, family: family, email: "a@example.com",
            customerID: 1, role: "member", accounts: ["a@example.com", "b@example.com"])
    }

    func revocation(_ id: Int64, _ kind: Revocation.Kind, _ value: String, at: Int64? = nil) -> Revocation {
        Revocation(id: id, at: at ?? now, kind: kind, value: value, notBefore: at ?? now)
    }

    @Test func eachKindHitsItsTokens() {
        let set = RevocationSet()
        let before = access(issued: now - 1)
        let after = access(issued: now + 1)
        #expect(!set.isRevoked(before))
        set.apply([revocation(1, .user, "user:1")])
        #expect(set.isRevoked(before) && !set.isRevoked(after))
        #expect(!set.isRevoked(access(subject: "user:2", issued: now - 1)))
        set.apply([revocation(2, .account, "B@example.com", at: now + 5)])
        #expect(set.isRevoked(after) && !set.isRevoked(access(issued: now + 6)))
        set.apply([revocation(3, .jti, "dead"), revocation(4, .family, "gone")])
        #expect(set.isRevoked(access("dead", issued: now + 100)))
        #expect(set.isRevoked(access(family: "gone", issued: now + 100)))
        #expect(set.latestID == 4)
    }

    @Test func mailTokensDieWithTheirMailbox() {
        let set = RevocationSet()
        let token = AccessToken.mailAccess(
            issuer: "i", subject: "service:1", jti: "m", issuedAt: now - 1, family: "", email: "a@example.com")
        set.apply([revocation(1, .family, "")])
        #expect(!set.isRevoked(token))
        set.apply([revocation(2, .account, "a@example.com")])
        #expect(set.isRevoked(token))
    }

    @Test func anOlderMessageDoesNotUndoANewerOne() {
        let set = RevocationSet()
        set.apply([revocation(2, .user, "user:1"), revocation(1, .user, "user:1", at: now - 1000)])
        #expect(set.isRevoked(access(issued: now - 500)))
        #expect(set.latestID == 2)
    }

    /// Whoever revoked has a clock that is behind ours: what was looked at in between must be looked at again.
    @Test func whatWasLookedAtBeforeARevocationWasHeardOfIsOld() {
        let set = RevocationSet()
        let looked = Timestamp.now()
        let late = revocation(1, .account, "a@example.com", at: looked - 3000)
        #expect(!set.isRevoked(.account, "a@example.com", since: looked))
        set.apply([late, revocation(2, .user, "user:1", at: looked - 3000)])
        #expect(set.isRevoked(.account, "a@example.com", since: looked))
        #expect(set.isRevoked(.user, "user:1", since: looked))
        #expect(!set.isRevoked(.user, "user:2", since: looked))
        let again = Timestamp.now() + 1
        set.apply([late])
        #expect(!set.isRevoked(.account, "a@example.com", since: again), "read again, it is no news")
    }

    @Test func oldEntriesGoAndAFullSetFailsSafe() {
        let set = RevocationSet(capacity: 100)
        set.apply([revocation(1, .jti, "old", at: now - 4_000_000)])
        #expect(set.count == 0)
        set.apply((0..<200).map { revocation(Int64($0), .jti, "j\($0)", at: now - 1000 + Int64($0)) })
        #expect(set.count == 75)
        #expect(set.isRevoked(access("j0", issued: now - 2000)))
        #expect(set.isRevoked(access("j199", issued: now)))
        #expect(!set.isRevoked(access("fresh", issued: now)))
    }
}
