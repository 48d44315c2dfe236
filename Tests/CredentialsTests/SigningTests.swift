import FoundationEssentials
import Glibc
import MailModel
import Testing

@testable import Credentials

@Suite struct SigningTests {
    static let issuer = "https://mail.test"

    func temporary() -> String {
        FileManager.default.temporaryDirectory.appending(path: "signing-\(UInt64.random(in: 0 ... .max)).pem").path
    }

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

    @Test func theKeyFileIsMadeOnceAndPrivate() async throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let kids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 { group.addTask { try await SigningKeys(file: path, issuer: Self.issuer).kid } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(kids.count == 1)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(chmod(path, 0o644) == 0)
        await #expect(throws: KeyFileError.notPrivate(path: path)) {
            try await SigningKeys(file: path, issuer: Self.issuer)
        }
    }

    @Test func aFileWithoutAKeyIsRefused() async throws {
        await #expect(throws: KeyFileError.notAKey) { try await SigningKeys(pem: "no key", issuer: Self.issuer) }
        await #expect(throws: KeyFileError.self) {
            try await SigningKeys(file: "/nonexistent/folder/key.pem", issuer: Self.issuer)
        }
    }

    @Test func whatIsSignedVerifies() async throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let keys = try await SigningKeys(file: path, issuer: Self.issuer)
        let claims = access()
        let token = try await keys.sign(claims)
        let remote = try await KeySet(jwks: keys.jwks, issuer: Self.issuer)
        #expect(try await remote.verify(token, as: .access) == claims)
        #expect(try await keys.keySet.verify(token, as: .access).person?.customerID == 7)
        #expect(!keys.jwks.contains("="))
        #expect(claims.exp == claims.issuedAt / 1000 + 900)
    }

    @Test func whatDoesNotCountIsRefused() async throws {
        let path = temporary()
        let other = temporary()
        defer { for file in [path, other] { try? FileManager.default.removeItem(atPath: file) } }
        let keys = try await SigningKeys(file: path, issuer: Self.issuer)
        let strange = try await SigningKeys(file: other, issuer: Self.issuer)
        let set = try await KeySet(jwks: keys.jwks, issuer: Self.issuer)
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
        for header in [
            #"{"alg":"none","kid":"\#(keys.kid)"}"#, #"{"alg":"HS256","kid":"\#(keys.kid)"}"#, #"{"alg":"ES256"}"#,
        ] {
            parts[0] = Base64URL.encode(header.utf8)
            #expect(await isRefused(set, parts.joined(separator: ".")))
            #expect(await isRefused(set, parts[0] + "." + parts[1] + "."))
        }
    }

    @Test func earlierKeysStillVerify() async throws {
        let files = [temporary(), temporary()]
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        let old = try await SigningKeys(file: files[0], issuer: Self.issuer)
        _ = try await SigningKeys(file: files[1], issuer: Self.issuer)
        let pem = try files.reversed().map { try String(contentsOfFile: $0, encoding: .utf8) }.joined(separator: "\n")
        let rotated = try await SigningKeys(pem: pem, issuer: Self.issuer)
        #expect(rotated.kid != old.kid)
        #expect(try await !isRefused(rotated.keySet, old.sign(access())))
    }

    @Test func keysThatCannotBeFetchedAreA503() async throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let token = try await SigningKeys(file: path, issuer: Self.issuer).sign(access())
        // Nothing listens on port 1.
        let keys = KeySet(url: "http://127.0.0.1:1/jwks.json", issuer: Self.issuer)
        await #expect(throws: Failure.unavailable("The issuer of the tokens")) {
            try await keys.verify(token, as: .access)
        }
        #expect(!keys.isLoaded)
    }
}
