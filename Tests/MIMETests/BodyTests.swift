import MIME
import Testing

@Suite("Bodies")
struct BodyTests {
    private func text(
        _ bytes: [UInt8], _ encoding: String = "8bit", charset: String? = nil, format: String? = nil
    )
        -> String
    {
        let pairs = [("charset", charset), ("format", format)].compactMap { name, value in
            value.map { (name: Array(name.utf8), value: Array($0.utf8)) }
        }
        return MIMEBody.text(bytes, transferEncoding: encoding, parameters: MIMEParameters(raw: pairs))
    }

    @Test("Transfer encodings, malformed ones too")
    func transfer() {
        #expect(MIMEBody.data(Array("SGFsbG8=".utf8), transferEncoding: "BASE64") == Array("Hallo".utf8))
        #expect(MIMEBody.data(Array("SGFs\r\nbG8".utf8), transferEncoding: "base64").starts(with: Array("Hal".utf8)))
        #expect(MIMEBody.data(Array("a=3Db=\r\nc".utf8), transferEncoding: "quoted-printable") == Array("a=bc".utf8))
        #expect(
            MIMEBody.data(Array("a=ZZ=".utf8), transferEncoding: "quoted-printable").starts(with: Array("a=ZZ".utf8)))
        #expect(MIMEBody.data([0, 1], transferEncoding: "binary") == [0, 1])
        #expect(MIMEBody.data([], transferEncoding: "base64") == [])
        #expect(MIMEBody.data([0xff, 0xfe], transferEncoding: "nonsense") == [0xff, 0xfe])
    }

    @Test("Charsets: right, wrong, missing")
    func charsets() {
        #expect(text([0x4b, 0xf6], charset: "iso-8859-1") == "Kö")
        #expect(text([0x80], charset: "iso-8859-1") == "€")
        #expect(text(Array("Kö".utf8), charset: "iso-8859-1") == "Kö")
        #expect(text(Array("Kö".utf8)) == "Kö")
        #expect(text([0x4b, 0xf6]) == "Kö")
        #expect(text([0x4b, 0xf6], charset: "utf-8") == "Kö")
        #expect(text(Array("äöü".utf8) + [0xff], charset: "utf-8") == "äöü\u{FFFD}")
        #expect(text([0x4b, 0xf6], charset: "x-unknown-thing") == "Kö")
        #expect(text([0x4b, 0xf6], charset: "\"windows-1252\"") == "Kö")
        #expect(text([0xcf, 0xf0, 0xe8], charset: "windows-1251") == "При")
        #expect(text([0xc4, 0xe3, 0xba, 0xc3], charset: "gb2312") == "你好")
        #expect(text([0x1b, 0x24, 0x42, 0x46, 0x7c, 0x1b, 0x28, 0x42], charset: "iso-2022-jp") == "日")
        #expect(text([0xff, 0xfe, 0x41, 0x00], charset: "utf-16") == "A")
        #expect(text([0xc4, 0xff, 0x41], charset: "gb2312").hasSuffix("A"))
        #expect(text([0x41], charset: "utf-8//TRANSLIT") == "A")
    }

    @Test("Line ends are LF; NUL and a byte order mark go")
    func lineEnds() {
        #expect(text(Array("\u{FEFF}a\r\nb\rc\nd\0e".utf8)) == "a\nb\nc\nde")
    }

    @Test("format=flowed (RFC 3676)")
    func flowed() {
        let flowed = "one \r\ntwo\r\n> quoted \r\n> text\r\n-- \r\nsig\r\n  stuffed\r\n"
        #expect(
            text(Array(flowed.utf8), charset: "us-ascii", format: "flowed")
                == "one two\n> quoted text\n-- \nsig\n stuffed\n")
    }
}
