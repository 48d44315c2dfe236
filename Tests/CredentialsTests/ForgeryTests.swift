import Crypto
import FoundationEssentials
import MailModel
import TestSupport
import Testing

@testable import Credentials

/// Tokens as an attacker makes them: each is refused, whatever it is signed with and however it is cut.
@Suite struct ForgeryTests {
    let forger: Forger
    let keys: KeySet

    init() async throws {
        forger = try Forger()
        keys = try KeySet(jwks: forger.jwks, issuer: SigningTests.issuer)
    }

    private func isRefused(_ token: String) async -> Bool {
        do {
            _ = try await keys.verifyAny(token)
            return false
        } catch { return (error as? Failure)?.code == "invalid_token" }
    }

    /// The refusals below are not the forger's fault.
    @Test func whatTheForgerMakesWithOurKeyIsGood() async throws {
        #expect(try await keys.verify(forger.token(), as: .access).sub == "user:1")
        #expect(try await keys.verify(forger.token(header: forger.header(adding: #","x":"é\n""#)), as: .access).exp > 0)
    }

    /// RFC 8725 §2.1: the public key, which everybody has, taken for the secret of an HMAC.
    @Test func ourPublicKeyIsNobodysSharedSecret() async throws {
        for (name, secret) in forger.publicForms {
            for algorithm in ["HS256", "hs256", "ES256", "none", "HS384", "HS512"] {
                let header = #"{"alg":"\#(algorithm)","kid":"\#(forger.kid)","typ":"JWT"}"#
                let token = forger.token(header: header) { signed in
                    Data(HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: secret)))
                }
                #expect(await isRefused(token), "\(algorithm) with \(name)")
            }
        }
    }

    /// RFC 7515 §4.1.2, §4.1.3, §4.1.5, §4.1.6: what a token says of its own key is not believed.
    @Test func aTokenDoesNotBringItsOwnKey() async throws {
        let attacker = try Forger()
        let jwk = PublicJWK(attacker.key.publicKey).json
        for extra in [
            #","jwk":\#(jwk)"#, #","jku":"http://127.0.0.1:9/jwks.json""#, #","x5u":"file:///etc/passwd""#,
            #","x5c":["\#(attacker.key.publicKey.derRepresentation.base64EncodedString())"]"#,
        ] {
            for kid in [forger.kid, attacker.kid] {
                let header = #"{"alg":"ES256","typ":"JWT","kid":"\#(kid)"\#(extra)}"#
                #expect(await isRefused(attacker.token(header: header)), "\(header)")
            }
        }
    }

    @Test func theKeyIsNamedPlainly() async throws {
        let kids = [
            "null", "[]", #"["\#(forger.kid)"]"#, "{}", "7", "true", #""""#, #""../../../dev/null""#, #""/etc/passwd""#,
            #""' OR 1=1 --""#, #""\#(forger.kid)\u0000""#, #"" \#(forger.kid)""#, #""\#(forger.kid.lowercased())""#,
            "\"" + String(repeating: "k", count: 5000) + "\"",
        ]
        for kid in kids { #expect(await isRefused(forger.token(header: #"{"alg":"ES256","kid":\#(kid)}"#)), "\(kid)") }
        for header in [
            "", "{}", "[]", "null", #"{"alg":"ES256"}"#, #"{"alg":["ES256"],"kid":"\#(forger.kid)"}"#,
            #"{"alg":"ES256","kid":"\#(forger.kid)""#, #"{"alg":"ES256","kid":"\#(forger.kid)"} x"#,
            // RFC 7515 §4.1.11, §4
            #"{"alg":"ES256","kid":"\#(forger.kid)","crit":["exp"]}"#,
            #"{"alg":"ES256","kid":"\#(forger.kid)","crit":null}"#,
            #"{"alg":"ES256","alg":"none","kid":"\#(forger.kid)"}"#,
            #"{"alg":"ES256","kid":"other","kid":"\#(forger.kid)"}"#,
            #"{"alg":"ES256","kid":"other","k\u0069d":"\#(forger.kid)"}"#,
        ] { #expect(await isRefused(forger.token(header: header)), "\(header)") }
    }

    /// Signed by our own key: by a bug elsewhere, or by somebody who once had the key.
    @Test func claimsAreReadStrictly() async throws {
        let good = forger.claims()
        for (what, claims) in [
            ("duplicate", good.replacing(#""sub":"user:1""#, with: #""sub":"user:1","sub":"user:2""#)),
            ("duplicate in disguise", good.replacing(#""sub":"user:1""#, with: #""sub":"user:1","s\u0075b":"user:2""#)),
            ("duplicate expiry", good.replacing(#""exp":"#, with: #""exp":1,"exp":"#)),
            ("no subject", good.replacing(#""sub":"user:1","#, with: "")),
            ("subject null", good.replacing(#""sub":"user:1""#, with: #""sub":null"#)),
            ("subject a list", good.replacing(#""sub":"user:1""#, with: #""sub":["user:1"]"#)),
            ("audience a list", good.replacing(#""aud":"platform""#, with: #""aud":["platform","mail"]"#)),
            ("audience of the other kind", good.replacing(#""aud":"platform""#, with: #""aud":"mail""#)),
            ("another type", good.replacing(#""type":"access""#, with: #""type":"refresh""#)),
            ("another issuer", good.replacing("https://mail.test", with: "https://mail.test.evil.example")),
            ("issuer with NUL", good.replacing("https://mail.test", with: #"https://mail.test\u0000"#)),
            ("expiry a text", good.replacing(/"exp":[0-9]+/, with: #""exp":"9999999999""#)),
            ("expiry without end", good.replacing(/"exp":[0-9]+/, with: #""exp":1e400"#)),
            ("expired", good.replacing(/"exp":[0-9]+/, with: #""exp":1000"#)),
            ("raw NUL", good.replacing("user:1", with: "user:1\u{0}")),
            ("not JSON", good + "}"), ("empty", ""), ("a list", "[\(good)]"),
            ("deep", String(repeating: "[", count: 3000)),
        ] { #expect(await isRefused(forger.token(claims: claims)), "\(what)") }
    }

    /// What an issuer of tomorrow adds does not matter to a reader of today.
    @Test func otherClaimsAreLeftAlone() async throws {
        let good = forger.claims()
        for other in [
            "[]", "{}", "null", "true", "1e3", #""\"""#, #"["a",{"b":["}"]},null]"#, #"{"sub":"user:2","sub":[]}"#,
        ] {
            let claims = good.replacing(#""sub""#, with: #""other" : \#(other) , "sub""#)
            #expect(await !isRefused(forger.token(claims: claims)), "\(claims)")
        }
        let escaped = good.replacing("https://mail.test", with: #"https:\/\/mail.test"#)
        #expect(await !isRefused(forger.token(claims: escaped)))
        for bad in ["nul", "[", #"{"a":"}"#, #""a"#, "\u{1}", ""] {
            let claims = good.replacing(#""sub""#, with: #""other":\#(bad),"sub""#)
            #expect(await isRefused(forger.token(claims: claims)), "\(claims)")
        }
    }

    @Test func cutLengthenedAndMutilatedTokensAreRefused() async throws {
        let token = Array(forger.token().utf8)
        for length in 0..<token.count {
            #expect(await isRefused(String(decoding: token[..<length], as: UTF8.self)), "cut after \(length)")
            if length > 0 {
                #expect(await isRefused(String(decoding: token[length...], as: UTF8.self)), "cut before \(length)")
            }
        }
        for index in token.indices {
            for byte in [0, 0x20, UInt8(ascii: "."), UInt8(ascii: "="), token[index] ^ 1] {
                var changed = token
                changed[index] = byte
                if changed == token { continue }
                #expect(await isRefused(String(decoding: changed, as: UTF8.self)), "\(byte) at \(index)")
            }
        }
        let text = forger.token()
        for (what, bad) in [
            ("NUL after it", text + "\0"), ("NUL before it", "\0" + text), ("a line", text + "\n"),
            ("padded", text + "="),
            ("a fourth segment", text + ".e30"), ("twice", text + "." + text),
            ("huge", text + String(repeating: "A", count: 9000)),
            ("doubled dots", text.replacing(".", with: "..")), ("only dots", String(repeating: ".", count: 8000)),
        ] { #expect(await isRefused(bad), "\(what)") }
    }

    /// The same ones in every run: nothing but the good token itself is let through, and nothing crashes.
    @Test func mutationsAreRefused() async throws {
        var random = SeededGenerator(seed: 11)
        let good = forger.token()
        let seeds = [good, forger.token(header: "{}"), "a.b.c"].map { Array($0.utf8) }
        for _ in 0..<4000 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.remove(at: index)
                case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                case 2: bytes.swapAt(index, Int.random(in: 0..<bytes.count, using: &random))
                default: bytes[index] = UInt8.random(in: 0...255, using: &random)
                }
                if bytes.isEmpty { break }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            if text != good { #expect(await isRefused(text), "\(text)") }
        }
    }

    @Test func mutilatedKeySetsAreReadOrRefused() async throws {
        var random = SeededGenerator(seed: 12)
        let good = Array(forger.jwks.utf8)
        for _ in 0..<2000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // A key that is read is a point on the curve; any other is passed over, and a set of none is no set.
            if let verifiers = try? JWKDocument.verifiers(of: bytes) { #expect(verifiers.count == 1) }
        }
        for bad in ["", "null", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}"#] {
            #expect(throws: (any Error).self) { try JWKDocument.verifiers(of: Array(bad.utf8)) }
        }
    }

    @Test func namesAreUniqueAtTheTopAlone() {
        for good in ["", "{}", #"{"a":1,"b":{"a":1,"a":2}}"#, #"{"a":["a","a"],"b":"a\",\"a"}"#, "7", #"{"a"#] {
            #expect(MemberNames.areUnique(Array(good.utf8)), "\(good)")
        }
        for bad in [#"{"a":1,"a":2}"#, #"{"a":{},"b":[],"a":0}"#, #"{"\u0061":1}"#, #"{"a\"#] {
            #expect(!MemberNames.areUnique(Array(bad.utf8)), "\(bad)")
        }
    }
}

/// Makes tokens by hand, with a key that is ours.
struct Forger {
    let key: P256.Signing.PrivateKey
    let kid: String
    let jwks: String

    init() throws {
        key = P256.Signing.PrivateKey()
        kid = PublicJWK(key.publicKey).kid
        jwks = PublicJWK.set([PublicJWK(key.publicKey)])
    }

    /// The public key in the forms that confused verifiers took for a shared secret.
    var publicForms: [(String, Data)] {
        [
            ("PEM", Data(key.publicKey.pemRepresentation.utf8)),
            ("PEM line", Data((key.publicKey.pemRepresentation + "\n").utf8)),
            ("DER", key.publicKey.derRepresentation), ("JWK", Data(PublicJWK(key.publicKey).json.utf8)),
            ("JWK set", Data(jwks.utf8)), ("point", key.publicKey.x963Representation),
            ("coordinates", key.publicKey.rawRepresentation), ("nothing", Data()),
        ]
    }

    func header(adding more: String = "") -> String { #"{"alg":"ES256","typ":"JWT","kid":"\#(kid)"\#(more)}"# }

    func claims() -> String {
        let now = Timestamp.now() / 1000
        return
            #"{"iss":"https://mail.test","aud":"platform","sub":"user:1","jti":"j","iat":\#(now),"exp":\#(now + 900),"#
            + #""type":"access","sid":"f","email":"a@example.com","customer_id":7,"role":"member","accounts":[]}"#
    }

    /// - Parameter sign: Left out, it is ES256 with our key.
    func token(
        header: String? = nil, claims: String? = nil, sign: ((Data) -> Data)? = nil
    ) -> String {
        let signed = [header ?? self.header(), claims ?? self.claims()].map { Base64URL.encode($0.utf8) }
            .joined(separator: ".")
        let data = Data(signed.utf8)
        let signature = sign.map { $0(data) } ?? (try? key.signature(for: data).rawRepresentation) ?? Data()
        return signed + "." + Base64URL.encode(signature)
    }
}
