import TestSupport
import Testing

@testable import AuthServer

@Suite struct RedirectURITests {
    @Test(arguments: [
        ("https://app.example.com/callback?x=1", RedirectURI.Kind.https, "app.example.com"),
        ("http://127.0.0.1:51004/cb", .loopback, "127.0.0.1"), ("http://[::1]:9/", .loopback, "[::1]"),
        ("http://localhost", .loopback, "localhost"), ("https://[2001:db8::1]:8443/cb", .https, "[2001:db8::1]"),
        ("com.example.app:/oauth", .privateUse, "com.example.app"),
    ]) func whatClientsMayUse(text: String, kind: RedirectURI.Kind, place: String) throws {
        let uri = try #require(RedirectURI(text))
        #expect(uri.kind == kind && uri.place == place)
    }

    @Test(arguments: [
        "", "/callback", "//evil.example/", "http://example.com/", "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/", "https://user:pw@example.com/", "https://example.com/#fragment",
        "https://example.com\\@evil.example/", "https://example.com/a b", "https:///path", "https://",
        "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "myapp:/callback", "vbscript.x:code",
        "https://example.com/../x", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://127.0.0.1:80:80/",
        "https://exämple.com/", "https://example.com/\u{0}", "https://example.com/\r\nSet-Cookie: a=b",
        "http://localhost.evil.example/", "http://2130706433/", "http://0x7f.1/", "https://[]/", "https://[x]/",
        "https://[evil.example]/", "https://[::1]x/", "https://[::1/", "https://[v1.x]/", "https://[::1%25eth0]/",
    ]) func whatNobodyIsSentTo(text: String) { #expect(RedirectURI(text) == nil) }

    @Test func onlyThePortOfALoopbackMayDiffer() throws {
        let loopback = try #require(RedirectURI("http://127.0.0.1:5000/cb"))
        #expect(loopback.matches(registered: "http://127.0.0.1/cb"))
        #expect(loopback.matches(registered: "http://127.0.0.1:1/cb"))
        #expect(!loopback.matches(registered: "http://localhost/cb"))
        #expect(!loopback.matches(registered: "http://127.0.0.1/cb2"))
        #expect(!loopback.matches(registered: "https://127.0.0.1/cb"))
        let web = try #require(RedirectURI("https://app.example.com:444/cb"))
        #expect(web.matches(registered: "https://app.example.com:444/cb"))
        for other in [
            "https://app.example.com/cb", "https://app.example.com:444/cb/", "https://app.example.com:444/CB",
        ] {
            #expect(!web.matches(registered: other))
        }
    }

    @Test func answersAreAddedToTheQuery() throws {
        let plain = try #require(RedirectURI("https://a.example/cb"))
        #expect(
            plain.answer([("code", "a&b")], state: "x=y ü", issuer: "https://m.test")
                == "https://a.example/cb?code=a%26b&state=x%3Dy%20%C3%BC&iss=https%3A%2F%2Fm.test")
        let query = try #require(RedirectURI("https://a.example/cb?k=v"))
        #expect(query.adding([("code", "1")]) == "https://a.example/cb?k=v&code=1")
    }

    @Test func thePolicyAllowsTheWayBack() throws {
        for (uri, source) in [
            ("https://a.example:8443/cb?x", "https://a.example:8443"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
            ("http://[::1]:5000/", "http:"), ("com.example.app:/cb", "com.example.app:"),
        ] { #expect(try #require(RedirectURI(uri)).formTarget == source) }
    }

    /// Whatever is made of good ones by changing bytes: it is read as something that is safe, or not at all.
    @Test func mutilatedOnesAreReadStrictly() {
        var random = SeededGenerator(seed: 7)
        let seeds = ["https://app.example.com/callback?x=1", "http://127.0.0.1:51004/cb", "com.example.app:/oauth"]
        for _ in 0..<20_000 {
            var bytes = Array(seeds.randomElement(using: &random)!.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] = UInt8.random(in: 0...255, using: &random)
            }
            guard let uri = RedirectURI(String(decoding: bytes, as: UTF8.self)) else { continue }
            #expect(uri.matches(registered: uri.text))
            #expect(!uri.text.utf8.contains { $0 <= 0x20 || $0 >= 0x7f || $0 == UInt8(ascii: "\\") })
            #expect(!uri.text.contains("#"))
        }
    }
}
