import Testing

@testable import SMTP

@Suite("Commands")
struct CommandTests {
    private func text(_ command: SMTPCommand) -> String { String(decoding: command.bytes, as: UTF8.self) }

    @Test("Lines as RFC 5321, 1870, 6152, 6531 and 4954 have them")
    func lines() throws {
        #expect(text(try .ehlo("localhost")) == "EHLO localhost\r\n")
        #expect(
            text(try .mail("a@b.c", size: 12, is8Bit: true, isUTF8: true))
                == "MAIL FROM:<a@b.c> SIZE=12 BODY=8BITMIME SMTPUTF8\r\n")
        #expect(text(try .mail("", size: nil, is8Bit: false, isUTF8: false)) == "MAIL FROM:<>\r\n")
        #expect(text(try .recipient("jörg@example.com")) == "RCPT TO:<jörg@example.com>\r\n")
        #expect(text(try .authenticate(.plain(user: "a", password: "b"))) == "AUTH PLAIN AGEAYg==\r\n")
        let line = text(try .authenticate(.xoauth2(user: "a@b.c", token: "tok")))
        let response = Base64.decode(String(line.dropFirst("AUTH XOAUTH2 ".count).dropLast()))
        #expect(response == Array("user=a@b.c\u{1}auth=Bearer tok\u{1}\u{1}".utf8))
    }

    @Test(
        "No argument can hold a second command",
        arguments: [
            "a@b.c\r\nDATA", "a@b.c\n", "a@b.c\0", "a@b.c> SIZE=1", "a b@c", "<a@b.c>", "a@b@c", "a", "@b", "a@",
            "a@b.c,d@e.f", "\"a\"@b.c", "@x:a@b.c",
        ])
    func injection(address: String) {
        #expect(throws: SMTPError.self) { try SMTPCommand.recipient(address) }
        #expect(throws: SMTPError.self) { try SMTPCommand.mail(address, size: nil, is8Bit: false, isUTF8: false) }
        #expect(throws: SMTPError.self) { try SMTPCommand.ehlo(address + " x") }
        #expect(throws: SMTPError.self) { try SMTPCommand.authenticate(.xoauth2(user: "a", token: address + "\u{1}")) }
        #expect(throws: SMTPError.self) { try SMTPCommand.authenticate(.plain(user: "a\0", password: address)) }
    }

    @Test("Base64 in both directions (RFC 4648 §10)")
    func base64() {
        let pairs = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy"),
        ]
        for (plain, encoded) in pairs {
            #expect(Base64.encode(Array(plain.utf8)) == encoded)
            #expect(Base64.decode(encoded) == Array(plain.utf8))
        }
        #expect(Base64.decode("a b") == nil)
    }

    @Test(
        "Dots are stuffed; every line end is CRLF, so that nothing can end the message early",
        arguments: [
            ("", ".\r\n"), ("a", "a\r\n.\r\n"), ("a\r\n", "a\r\n.\r\n"), (".", "..\r\n.\r\n"),
            ("a\r\n.\r\nMAIL FROM:<x@y.z>\r\n", "a\r\n..\r\nMAIL FROM:<x@y.z>\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"), ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"), ("a\r\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"), ("a\r", "a\r\n.\r\n"), ("a.b\n..c", "a.b\r\n...c\r\n.\r\n"),
        ])
    func data(message: String, expected: String) {
        #expect(String(decoding: MessageData.encode(Array(message.utf8)), as: UTF8.self) == expected)
    }
}
