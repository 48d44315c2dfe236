import MailModel
import Testing

@Suite struct EmailAddressTests {
    @Test(arguments: [
        ("Info@Example.COM", "info@example.com"),
        ("first.last+tag@sub.example.com", "first.last+tag@sub.example.com"),
        ("jörg@example.com", "jörg@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
    ])
    func normalises(text: String, expected: String) throws {
        #expect(try EmailAddress(text).description == expected)
    }

    @Test(arguments: [
        "", "@", "a@", "@example.com", "a b@example.com", "a..b@example.com", ".a@example.com", "a@example",
        "a@-example.com", "a@exa_mple.com", "a\r\nb@example.com", "a@example.com\u{0}", "\"q\"@example.com",
        "a@1.2.3.4",
        "a@b@example.com", String(repeating: "x", count: 65) + "@example.com",
    ])
    func refuses(text: String) {
        #expect(throws: Failure.self) { try EmailAddress(text) }
    }

    // The samples of RFC 3492 §7.1 that are host names.
    @Test(arguments: [
        ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
        ("почемужеонинеговорятпорусски", "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"),
        ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
    ])
    func encodesPunycode(label: String, expected: String) throws {
        #expect(try DomainName(label + ".example").description == expected + ".example")
    }

    @Test func domainLosesTrailingDot() throws {
        #expect(try DomainName("Example.com.").description == "example.com")
    }
}
