import MIME
import Testing

@Suite("Messages")
struct MessageTests {
    private func parse(_ text: String) throws -> MIMEMessage {
        try MIMEMessage.parse(Array(text.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n").utf8))
    }

    private let report = """
        From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.com>
        To: a@example.com
        To: b@example.com
        Cc: "C, D" <c@example.com>
        Subject: =?utf-8?B?QmVyaWNodA==?=
        Date: Thu, 13 Feb 2025 10:00:00 +0100
        Message-ID: <1@example.com>
        References: <0@example.com> <00@example.com>
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary=outer

        prologue
        --outer
        Content-Type: multipart/alternative; boundary=inner

        --inner
        Content-Type: text/plain; charset=iso-8859-1
        Content-Transfer-Encoding: quoted-printable

        K=F6ln
        --inner
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: base64

        PHA+S8O2bG48L3A+
        --inner--
        --outer
        Content-Type: image/png; name="x.png"
        Content-Disposition: inline
        Content-ID: <logo@example.com>
        Content-Transfer-Encoding: base64

        iVBORw0KGgo=
        --outer
        Content-Type: text/csv; charset=utf-8
        Content-Disposition: attachment; filename*=utf-8''%C3%BCbersicht.csv

        a;b
        --outer
        Content-Type: message/rfc822

        Subject: inside
        Content-Type: multipart/mixed; boundary=deep

        --deep

        first
        --deep--
        --outer--
        """

    @Test("A tree of parts, numbered as IMAP numbers them")
    func tree() throws {
        let message = try parse(report)
        #expect(message.from == [MIMEAddress(name: "Jörg", address: "joerg@example.com")])
        #expect(message.to.map(\.address) == ["a@example.com", "b@example.com"])
        #expect(message.cc.first?.name == "C, D")
        #expect(message.subject == "Bericht")
        #expect(message.date == 1_739_437_200_000)
        #expect(message.messageID == "1@example.com")
        #expect(message.references == ["0@example.com", "00@example.com"])
        #expect(message[header: "mime-version"] == "1.0")
        #expect(message.plain == "Köln")
        #expect(message.html == "<p>Köln</p>")
        #expect(message.body.path == "")
        #expect(message.attachments.map(\.path) == ["2", "3", "4"])
        #expect(message.attachments.map(\.mediaType) == ["image/png", "text/csv", "message/rfc822"])
        #expect(message.attachments.map(\.filename) == ["x.png", "übersicht.csv", nil])
        #expect(message.attachments[0].contentID == "logo@example.com")
        #expect(message.attachments[0].disposition == .inline)
        #expect(message.attachments[0].size == 8)
        #expect(message.attachments[1].disposition == .attachment)
        guard case .data(let csv) = message.attachments[1].content else { throw MIMEError.noMessage }
        #expect(csv == Array("a;b".utf8))
        guard case .message(let inside) = message.attachments[2].content,
            case .multipart(let deep) = inside.body.content
        else { throw MIMEError.noMessage }
        #expect(inside.subject == "inside")
        #expect(inside.body.path == "4")
        #expect(deep.map(\.path) == ["4.1"])
    }

    @Test("A message of one part")
    func single() throws {
        let message = try parse("Subject: x\n\nhello\n")
        #expect(message.body.path == "1")
        #expect(message.plain == "hello\n")
        #expect(message.html == nil && message.attachments.isEmpty && message.date == nil)
    }

    @Test("Every prefix of a message, and of noise, parses")
    func prefixes() throws {
        let bytes = Array(report.utf8)
        for end in 1...bytes.count { _ = try MIMEMessage.parse(Array(bytes[..<end])) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var noise = bytes
            for _ in 0..<20 { noise[Int.random(in: 0..<noise.count, using: &generator)] = .random(in: 0...255) }
            _ = try MIMEMessage.parse(noise)
        }
        #expect(throws: MIMEError.noMessage) { try MIMEMessage.parse([]) }
    }

    @Test("Deep nesting and many parts are bounded")
    func bounds() throws {
        var nested = ""
        for level in 0..<5000 { nested += "Content-Type: multipart/mixed; boundary=b\(level)\n\n--b\(level)\n" }
        #expect(try parse(nested + "\nx").attachments.count < 2)
        let enclosed = String(repeating: "Content-Type: message/rfc822\n\n", count: 5000)
        #expect(try parse(enclosed + "Subject: x\n\ny").subject == "")
        let many = String(repeating: "--b\n\nx\n", count: 20_000)
        guard
            case .multipart(let parts) = try parse("Content-Type: multipart/mixed; boundary=b\n\n" + many).body.content
        else { throw MIMEError.noMessage }
        #expect(parts.count < 1000)
        var limits = MIMEMessage.Limits()
        limits.size = 10
        #expect(throws: MIMEError.tooLarge(limit: 10)) { try MIMEMessage.parse(Array(report.utf8), limits: limits) }
    }

    @Test("Parsing from many tasks at once")
    func concurrent() async throws {
        let bytes = Array(report.utf8)
        try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<200 { group.addTask { try MIMEMessage.parse(bytes).plain } }
            for try await plain in group { #expect(plain == "Köln") }
        }
    }
}
