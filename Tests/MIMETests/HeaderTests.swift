import MIME
import Testing

@Suite("Headers")
struct HeaderTests {
    @Test(
        "Encoded words and raw bytes are decoded (RFC 2047)",
        arguments: [
            ("=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
            ("=?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?_aus_K=F6ln?=", "Grüße aus Köln"),
            ("plain", "plain"),
            ("  folded\r\n\tvalue ", "folded\tvalue".replacing("\t", with: " ")),
            ("=?x-nonsense?Q?abc?=", "abc"),
            ("=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
            ("=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "日本語"),
            ("=?utf-8?B?4oKs?= 5", "€ 5"),
            ("=?", "=?"),
            ("", ""),
        ])
    func decode(raw: String, expected: String) {
        #expect(MIMEHeader.decode(Array(raw.utf8)) == expected)
    }

    @Test("Raw 8-bit text is UTF-8, else Windows-1252; NUL cuts nothing off")
    func eightBit() {
        #expect(MIMEHeader.decode(Array("Grüße".utf8)) == "Grüße")
        #expect(MIMEHeader.decode([0x4b, 0xf6, 0x6c, 0x6e]) == "Köln")
        #expect(MIMEHeader.decode([0x61, 0, 0x62]) == "a b")
    }

    @Test("Address lists: names, groups, comments, encoded words")
    func addresses() {
        func parse(_ text: String) -> [MIMEAddress] { MIMEHeader.addresses(Array(text.utf8)) }
        #expect(parse("a@example.com") == [MIMEAddress(address: "a@example.com")])
        #expect(
            parse("\"Doe, John\" <j@example.com>, =?utf-8?Q?J=C3=B6rg?= <joerg@example.com>") == [
                MIMEAddress(name: "Doe, John", address: "j@example.com"),
                MIMEAddress(name: "Jörg", address: "joerg@example.com"),
            ])
        #expect(
            parse("Team: a@example.com, B <b@example.com>;, c@example.com").map(\.address) == [
                "a@example.com", "b@example.com", "c@example.com",
            ])
        #expect(parse("undisclosed-recipients:;").isEmpty)
        #expect(parse("").isEmpty)
        #expect(parse("Jörg <j@example.com>").first?.name == "Jörg")
    }

    @Test(
        "Hostile address lists end",
        arguments: [
            String(repeating: "(", count: 200_000), String(repeating: "a:", count: 100_000),
            String(repeating: "<", count: 200_000), String(repeating: "\"\\", count: 100_000),
            String(repeating: "a@b,", count: 60_000), String(repeating: "=?utf-8?Q?", count: 20_000),
            String(repeating: "@a,", count: 60_000),
        ])
    func hostile(text: String) {
        #expect(MIMEHeader.addresses(Array(text.utf8)).count <= 10_000)
        #expect(MIMEHeader.decode(Array(text.utf8)).utf8.count <= 1 << 20)
    }

    @Test("Dates, current and obsolete (RFC 5322 §3.3, §4.3)")
    func dates() {
        func date(_ text: String) -> Int64? { MIMEHeader.date(Array(text.utf8)) }
        #expect(date("Thu, 13 Feb 2025 10:00:00 +0100") == 1_739_437_200_000)
        #expect(date("13 Feb 2025 09:00:00 GMT") == 1_739_437_200_000)
        #expect(date("Thu, 13 Feb 25 04:00:00 EST (comment)") == 1_739_437_200_000)
        #expect(date("yesterday") == nil)
        #expect(date("") == nil)
    }

    @Test("Message ids")
    func messageIDs() {
        func ids(_ text: String) -> [String] { MIMEHeader.messageIDs(Array(text.utf8)) }
        #expect(ids("<a@x>\r\n <b@y> (c)") == ["a@x", "b@y"])
        #expect(ids("a@x") == ["a@x"])
        #expect(ids("<<a@x>").first == "a@x")
        #expect(ids("").isEmpty)
    }

    @Test("A header block")
    func block() {
        let block = "Subject: =?utf-8?Q?=C3=A4?=\r\nX-Long: one\r\n two\r\nno field\r\nEmpty:\r\n\r\nBody: no\r\n"
        let headers = MIMEHeader.parseBlock(Array(block.utf8))
        #expect(headers.map(\.name) == ["Subject", "X-Long", "Empty"])
        #expect(headers.map(\.value) == ["ä", "one two", ""])
        #expect(MIMEHeader.parseBlock(Array(String(repeating: "A: b\n", count: 5000).utf8)).count == 1000)
    }

    @Test("Parameters of a BODYSTRUCTURE (RFC 2231, RFC 2047)")
    func parameters() {
        func parameters(_ pairs: [(String, String)]) -> MIMEParameters {
            MIMEParameters(raw: pairs.map { (Array($0.0.utf8), Array($0.1.utf8)) })
        }
        #expect(parameters([("NAME", "a.txt")])["name"] == "a.txt")
        #expect(parameters([("name", "=?utf-8?Q?=C3=A4.txt?=")])["name"] == "ä.txt")
        #expect(parameters([("filename*", "UTF-8''%C3%A4%20b.txt")])["filename"] == "ä b.txt")
        #expect(parameters([("filename*", "iso-8859-1'en'%E4.txt"), ("filename", "a.txt")])["filename"] == "ä.txt")
        let pieces = [("filename*1", "b"), ("filename*0*", "utf-8''%C3"), ("filename*2*", "%A4"), ("filename*x", "y")]
        #expect(parameters(pieces)["filename"]?.hasSuffix("\u{FFFD}") != nil)
        #expect(parameters([("filename*1*", "%A4.txt"), ("filename*0*", "utf-8''%C3")])["filename"] == "ä.txt")
        #expect(parameters([("filename*", "utf-8''a%0D%0Ab")])["filename"] == "a  b")
        #expect(parameters([])["filename"] == nil)
    }
}
