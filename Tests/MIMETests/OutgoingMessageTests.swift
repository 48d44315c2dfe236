import MIME
import Testing

@Suite("Composing")
struct OutgoingMessageTests {
    private func message() -> OutgoingMessage {
        var message = OutgoingMessage(
            from: MIMEAddress(name: "Jörg Müller", address: "joerg@example.com"), date: 1_739_437_200_000,
            messageID: "1@example.com")
        message.to = [MIMEAddress(name: "Doe, John", address: "john@example.com")]
        message.cc = [MIMEAddress(address: "cc@example.com")]
        message.subject = "Grüße aus Köln, mit einem langen Betreff, der gewiss gefaltet werden muss: ÄÖÜ"
        message.plain = "Hällo\r\n.\r\nFrom me\n"
        return message
    }

    @Test("What is composed is read back")
    func roundTrip() throws {
        var message = message()
        message.html = "<p>Hällo <img src=\"cid:logo@example.com\"></p>"
        message.inReplyTo = "<0@example.com>"
        message.references = ["00@example.com", "0@example.com"]
        message.replyTo = [MIMEAddress(address: "reply@example.com")]
        message.headers = [MIMEHeader(name: "X-Mailer", value: "xynap")]
        let binary = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        message.attachments = [
            .init(filename: "logo.png", contentType: "image/png", contentID: "logo@example.com", content: [1, 2, 3]),
            .init(filename: "Übersicht \"1\".pdf", contentType: "application/pdf", content: binary),
            .init(filename: "mail.eml", contentType: "message/rfc822", content: Array("Subject: in\n\nhi\n".utf8)),
            .init(filename: "x", contentType: "multipart/evil\r\n", content: [9]),
        ]
        let bytes = try message.encoded()
        let read = try MIMEMessage.parse(bytes)
        #expect(read.from == [message.from] && read.to == message.to && read.cc == message.cc)
        #expect(read.replyTo == message.replyTo)
        #expect(read.subject == message.subject)
        #expect(read.date == message.date)
        #expect(read.messageID == "1@example.com" && read.inReplyTo == ["0@example.com"])
        #expect(read.references == ["00@example.com", "0@example.com"])
        #expect(read[header: "X-Mailer"] == "xynap" && read[header: "MIME-Version"] == "1.0")
        #expect(read[header: "Bcc"] == nil)
        #expect(read.plain == "Hällo\n.\nFrom me\n" && read.html == message.html)
        #expect(read.body.mediaType == "multipart/mixed")
        #expect(read.attachments.map(\.filename) == ["logo.png", "Übersicht \"1\".pdf", "mail.eml", "x"])
        #expect(read.attachments.map(\.contentID) == ["logo@example.com", nil, nil, nil])
        #expect(read.attachments.last?.mediaType == "application/octet-stream")
        guard case .data(let content) = read.attachments[1].content,
            case .message(let inner) = read.attachments[2].content
        else { throw MIMEError.noMessage }
        #expect(content == binary && inner.subject == "in" && inner.plain == "hi\n")
    }

    @Test("The bytes are ASCII lines of at most 998, ended by CRLF alone")
    func wire() throws {
        var message = message()
        message.plain = String(repeating: "x", count: 5000) + "\n\rä"
        message.to = (0..<200).map { MIMEAddress(name: "Ä \($0)", address: "a\($0)@example.com") }
        for text in [message.plain, String(repeating: "日本", count: 3000), "short"] {
            message.plain = text
            let bytes = try message.encoded()
            #expect(bytes.suffix(2) == [0x0d, 0x0a])
            #expect(bytes.allSatisfy { $0 < 0x80 })
            var length = 0
            for (index, byte) in bytes.enumerated() {
                #expect((byte == 0x0a) == (index > 0 && bytes[index - 1] == 0x0d), "line ends are CRLF")
                length = byte == 0x0a ? 0 : length + 1
                #expect(length <= 999)
            }
        }
        #expect(try MIMEMessage.parse(message.encoded()).to.count == 200)
    }

    @Test("No level of MIME without need")
    func shapes() throws {
        var message = message()
        #expect(try MIMEMessage.parse(message.encoded()).body.mediaType == "text/plain")
        message.html = "<p>"
        #expect(try MIMEMessage.parse(message.encoded()).body.mediaType == "multipart/alternative")
        message.plain = nil
        #expect(try MIMEMessage.parse(message.encoded()).body.mediaType == "text/html")
        message.html = nil
        #expect(try MIMEMessage.parse(message.encoded()).plain == "")
    }

    @Test("Whatever could end a header line is refused", arguments: ["\r\nBcc: x@y.z", "\n", "\r", "\0", "a\u{1}b"])
    func injection(evil: String) {
        let edits: [@Sendable (inout OutgoingMessage) -> Void] = [
            { $0.subject = "a" + evil }, { $0.from.name = evil }, { $0.from.address = "a@b.c" + evil },
            { $0.to[0].address = evil }, { $0.cc[0].name = evil }, { $0.messageID = "a@b" + evil },
            { $0.inReplyTo = evil }, { $0.references = [evil] },
            { $0.headers = [MIMEHeader(name: "X-A", value: evil)] },
            { $0.headers = [MIMEHeader(name: "X" + evil, value: "")] },
            { $0.attachments = [.init(filename: evil, contentType: "a/b", content: [])] },
            { $0.attachments = [.init(filename: "a", contentType: "a/b", contentID: evil, content: [])] },
        ]
        for edit in edits {
            var message = message()
            edit(&message)
            #expect(throws: MIMEError.self) { try message.encoded() }
        }
    }

    @Test(
        "Headers of the composer and of the transport are refused",
        arguments: ["Bcc", "bcc", "From", "Content-Type", "DKIM-Signature", "", "X Y", "X:Y", "Ä"])
    func reserved(name: String) {
        var message = message()
        message.headers = [MIMEHeader(name: name, value: "x@example.com")]
        #expect(throws: MIMEError.self) { try message.encoded() }
    }

    @Test(
        "Addresses that are more than one are refused",
        arguments: ["a@b.c, d@e.f", "a@b.c>", "<a@b.c>", "a", "@b", "a@", "a@b@c", "a b@c", "\"a\"@b"])
    func addresses(text: String) {
        var message = message()
        message.to = [MIMEAddress(address: text)]
        #expect(throws: MIMEError.invalidAddress(header: "To")) { try message.encoded() }
    }

    @Test("An international address asks for SMTPUTF8 and survives")
    func international() throws {
        var message = message()
        #expect(!message.hasUTF8Headers)
        message.to = [MIMEAddress(name: "J", address: "jörg@example.com")]
        #expect(message.hasUTF8Headers)
        #expect(try MIMEMessage.parse(message.encoded()).to == message.to)
    }

    @Test("Message ids are unique")
    func messageID() {
        let ids = Set((0..<1000).map { _ in OutgoingMessage.makeMessageID(domain: "example.com") })
        #expect(ids.count == 1000 && ids.allSatisfy { $0.utf8.count == 44 })
    }
}
