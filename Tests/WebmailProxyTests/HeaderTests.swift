import Testing

@testable import WebmailProxy

@Suite struct AuthenticationResultsTests {
    @Test func readsTheTopmostHeaderOnly() {
        let results = AuthenticationResults([
            "mx.example.com; spf=pass (sender; is fine) smtp.mailfrom=a@b.example; dkim=fail header.d=x; dkim=pass header.d=b.example; dmarc=pass",
            "mx.evil.example; spf=fail; dmarc=fail",
        ])
        #expect(results.spf == "pass")
        #expect(results.dkim == "pass")
        #expect(results.dmarc == "pass")
    }

    @Test(arguments: [[], ["mx.example.com; none"], ["mx.example.com"], ["; ;; spf; =pass"]])
    func findsNothing(in headers: [String]) {
        let results = AuthenticationResults(headers)
        #expect(results.spf == nil && results.dkim == nil && results.dmarc == nil)
    }
}

@Suite struct ListUnsubscribeTests {
    @Test func prefersHTTPSAndKnowsOneClick() throws {
        let list = try #require(
            ListUnsubscribe(
                ["<mailto:leave@lists.example>, <https://lists.example/leave?u=1>"],
                post: ["List-Unsubscribe=One-Click"]))
        #expect(list.url == "https://lists.example/leave?u=1")
        #expect(list.mailto == "mailto:leave@lists.example")
        #expect(list.isOneClick)
    }

    @Test func offersNoOtherSchemes() {
        #expect(ListUnsubscribe(["<javascript:alert(1)>"], post: []) == nil)
        #expect(ListUnsubscribe([], post: []) == nil)
    }
}

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            (nil, ByteRange.whole), ("bytes=0-9", .part(0..<10)), ("bytes=90-", .part(90..<100)),
            ("bytes=-10", .part(90..<100)),
            ("bytes=-1000", .part(0..<100)), ("bytes=95-200", .part(95..<100)), ("bytes=100-", .unsatisfiable),
            ("bytes=-0", .unsatisfiable), ("bytes=5-1", .whole), ("bytes=0-1,4-5", .whole), ("items=0-1", .whole),
            ("bytes=-", .whole),
        ] as [(String?, ByteRange)])
    func reads(header: String?, expected: ByteRange) {
        #expect(ByteRange(header, size: 100) == expected)
    }
}

@Suite struct ContentDispositionTests {
    @Test func givesBothFormsOfANameThatIsNotASCII() {
        #expect(
            ContentDisposition.attachment(filename: "Müller.pdf")
                == #"attachment; filename="M_ller.pdf"; filename*=UTF-8''M%C3%BCller.pdf"#)
        #expect(ContentDisposition.attachment(filename: "a.pdf") == #"attachment; filename="a.pdf""#)
    }

    @Test func cannotBeBrokenOutOf() {
        let value = ContentDisposition.attachment(filename: "a\"\r\nX-Evil: 1\u{0}/..\\b")
        #expect(!value.utf8.contains { $0 < 0x20 })
        #expect(!value.contains(#"a""#))
        #expect(!value.contains("/"))
    }
}
