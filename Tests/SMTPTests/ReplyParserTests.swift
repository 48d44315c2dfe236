import Testing

@testable import SMTP

@Suite("Replies")
struct ReplyParserTests {
    /// A submission session as Postfix and others speak.
    static let dialog =
        "220 mail.example.com ESMTP\r\n250-mail.example.com\r\n250-PIPELINING\r\n250-SIZE 36700160\r\n"
        + "250-AUTH PLAIN XOAUTH2\r\n250-AUTH=PLAIN XOAUTH2\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
        + "250 SMTPUTF8\r\n334 eyJzdGF0dXMiOiI0MDEifQ==\r\n535-5.7.8 Error: authentication failed\r\n"
        + "535 5.7.8 try again\r\n250 2.1.0 Ok\r\n550 5.1.1 <x@example.com>: unknown\r\n354 End data with .\n"
        + "250 2.0.0 Ok: queued as 1\r\n250\r\n250-2.1.5 one\r\n250 2.1.6 two\r\n421 4.3.2 shutting down\r\n"

    @Test("The same replies, wherever the bytes are cut")
    func cuts() throws {
        let bytes = Array(Self.dialog.utf8)
        var whole = SMTPReplyParser()
        let expected = try whole.feed(bytes)
        #expect(expected.count == 11)
        for cut in 0...bytes.count {
            var parser = SMTPReplyParser()
            #expect(try parser.feed(bytes[..<cut]) + parser.feed(bytes[cut...]) == expected)
            #expect(!parser.isInsideReply)
        }
        var single = SMTPReplyParser()
        #expect(try bytes.flatMap { try single.feed([$0]) } == expected)
    }

    @Test("Codes, enhanced status codes and lines")
    func content() throws {
        var parser = SMTPReplyParser()
        let replies = try parser.feed(Array(Self.dialog.utf8))
        #expect(replies[3].code == 535)
        #expect(replies[3].enhancedStatus == EnhancedStatusCode(5, 7, 8))
        #expect(replies[3].lines == ["Error: authentication failed", "try again"])
        #expect(replies[5].description == "550 5.1.1 <x@example.com>: unknown")
        #expect(replies[8].lines == [""])
        #expect(replies[9].enhancedStatus == nil && replies[9].lines == ["2.1.5 one", "2.1.6 two"])
        let capabilities = SMTPCapabilities(ehlo: replies[1])
        #expect(capabilities.hasPipelining && capabilities.hasSMTPUTF8 && capabilities.has8BitMIME)
        #expect(!capabilities.hasStartTLS && capabilities.sizeLimit == 36_700_160)
        #expect(capabilities.authMechanisms == ["PLAIN", "XOAUTH2"])
    }

    @Test(
        "What is no reply is a violation",
        arguments: [
            "abc\r\n", "25\r\n", "\r\n", "2500 x\r\n", "250_x\r\n", "100 x\r\n", "600 x\r\n", "250-a\r\n251 b\r\n",
        ])
    func violations(text: String) {
        var parser = SMTPReplyParser()
        #expect(throws: SMTPError.self) { try parser.feed(Array(text.utf8)) }
    }

    @Test("Endless lines and replies are bounded")
    func bounds() {
        var parser = SMTPReplyParser()
        #expect(throws: SMTPError.self) { try parser.feed(repeatElement(0x32, count: 100_000)) }
        var other = SMTPReplyParser()
        #expect(throws: SMTPError.self) { try other.feed(Array(String(repeating: "250-x\r\n", count: 1000).utf8)) }
    }

    @Test("Noise never crashes")
    func noise() {
        for _ in 0..<2000 {
            var bytes = Array(Self.dialog.utf8)
            for _ in 0..<5 { bytes[Int.random(in: 0..<bytes.count)] = .random(in: 0...255) }
            var parser = SMTPReplyParser()
            _ = try? parser.feed(bytes)
        }
    }
}
