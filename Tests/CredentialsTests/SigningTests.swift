import MailModel
import NIOConcurrencyHelpers
import Testing

@testable import Credentials

@Suite struct SigningTests {
    static let issuer = "https://mail.test"

    /// The keys, loaded; the first signs.
    func keys(_ pems: [String]) async throws -> SigningKeys {
        let keys = SigningKeys(issuer: Self.issuer) { pems }
        try #require(await keys.keySet.refresh())
        return keys
    }

    func newKeys() async throws -> SigningKeys { try await keys([SigningKeys.newKey().pem]) }

    func access(issuedAt: Int64 = Timestamp.now(), issuer: String = issuer) -> AccessToken {
        .access(
            issuer: issuer, subject: "user:1", jti: "j1", issuedAt: issuedAt, family: "f1", email: "a@example.com",
            customerID: 7, role: "member", accounts: ["a@example.com"])
    }

    func isRefused(_ keys: KeySet, _ token: String, as kind: AccessToken.Kind = .access) async -> Bool {
        do {
            _ = try await keys.verify(token, as: kind)
            return false
        } catch {
            return (error as? Failure)?.code == "invalid_token"
        }
    }

    @Test func untilTheKeysAreLoadedNothingIsSigned() async throws {
        let keys = SigningKeys(issuer: Self.issuer) { ["no key"] }
        #expect(await !keys.keySet.refresh())
        await #expect(throws: Failure.unavailable("The signing keys")) { try await keys.sign(access()) }
        #expect(throws: Failure.unavailable("The signing keys")) { try keys.jwks() }
    }

    @Test func keysThatCannotBeLoadedAgainStayInUse() async throws {
        let pem = try SigningKeys.newKey().pem
        let isAway = NIOLockedValueBox(false)
        let keys = SigningKeys(issuer: Self.issuer) {
            if isAway.withLockedValue({ $0 }) { throw Failure.unavailable("MariaDB") }
            return [pem]
        }
        #expect(await keys.keySet.refresh())
        isAway.withLockedValue { $0 = true }
        #expect(await !keys.keySet.refresh())
        let claims = access()
        #expect(try await keys.keySet.verify(keys.sign(claims), as: .access) == claims)
    }

    @Test func whatIsSignedVerifies() async throws {
        let keys = try await newKeys()
        let claims = access()
        let token = try await keys.sign(claims)
        let remote = try KeySet(jwks: keys.jwks(), issuer: Self.issuer)
        #expect(try await remote.verify(token, as: .access) == claims)
        #expect(try await keys.keySet.verify(token, as: .access).person?.customerID == 7)
        #expect(try !keys.jwks().contains("="))
        #expect(claims.exp == claims.issuedAt / 1000 + 900)
    }

    @Test func whatDoesNotCountIsRefused() async throws {
        let keys = try await newKeys()
        let strange = try await newKeys()
        let set = try KeySet(jwks: keys.jwks(), issuer: Self.issuer)
        let now = Timestamp.now()

        #expect(try await isRefused(set, keys.sign(access()), as: .mailAccess))
        #expect(try await isRefused(set, keys.sign(access(issuer: "https://evil.test"))))
        #expect(try await isRefused(set, strange.sign(access())))
        #expect(try await isRefused(set, keys.sign(access(issuedAt: now - 900_000 - 31_000))))
        #expect(try await !isRefused(set, keys.sign(access(issuedAt: now - 900_000 - 25_000))))

        let good = try await keys.sign(access())
        var parts = good.split(separator: ".").map(String.init)
        for broken in ["", "a", "a.b.c", good + "a", good.dropLast(4) + "AAAA", String(repeating: "a", count: 10_000)] {
            #expect(await isRefused(set, String(broken)))
        }
        let kid = try keys.kid()
        for header in [
            #"{"alg":"none","kid":"\#(kid)"}"#, #"{"alg":"HS256","kid":"\#(kid)"}"#, #"{"alg":"ES256"}"#,
        ] {
            parts[0] = Base64URL.encode(header.utf8)
            #expect(await isRefused(set, parts.joined(separator: ".")))
            #expect(await isRefused(set, parts[0] + "." + parts[1] + "."))
        }
    }

    /// A new key is published and then signs: between, everybody has both.
    @Test func aKeyVerifiesBeforeItSigns() async throws {
        let pems = try [SigningKeys.newKey().pem, SigningKeys.newKey().pem]
        let order = NIOLockedValueBox(pems)
        let keys = SigningKeys(issuer: Self.issuer) { order.withLockedValue { $0 } }
        #expect(await keys.keySet.refresh())
        let remote = try KeySet(jwks: keys.jwks(), issuer: Self.issuer)
        let old = try keys.kid()
        order.withLockedValue { $0.reverse() }
        #expect(await keys.keySet.refresh())
        #expect(try keys.kid() != old)
        #expect(try await !isRefused(remote, keys.sign(access())))
    }

    /// Many tokens of an unknown key ask for it once, and none is refused while the answer is on its way.
    @Test func allWaitForTheLoadingThatIsUnderWay() async throws {
        let keys = try await newKeys()
        let jwks = try keys.jwks(), token = try await keys.sign(access())
        let loads = NIOLockedValueBox(0)
        let set = KeySet(issuer: Self.issuer, refreshedEvery: .seconds(300)) {
            loads.withLockedValue { $0 += 1 }
            try await Task.sleep(for: .milliseconds(50))
            return jwks
        }
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 { group.addTask { await isRefused(set, token) } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(refused == 0)
        #expect(loads.withLockedValue { $0 } == 1)
    }

    @Test func earlierKeysStillVerify() async throws {
        let pems = try [SigningKeys.newKey().pem, SigningKeys.newKey().pem]
        let old = try await keys([pems[0]])
        let rotated = try await keys(pems.reversed())
        #expect(try rotated.kid() != old.kid())
        #expect(try await !isRefused(rotated.keySet, old.sign(access())))
    }

    @Test func keysThatCannotBeFetchedAreA503() async throws {
        let token = try await newKeys().sign(access())
        // Nothing listens on port 1.
        let keys = KeySet(url: "http://127.0.0.1:1/jwks.json", issuer: Self.issuer)
        await #expect(throws: Failure.unavailable("The issuer of the tokens")) {
            try await keys.verify(token, as: .access)
        }
        #expect(!keys.isLoaded)
    }
}
