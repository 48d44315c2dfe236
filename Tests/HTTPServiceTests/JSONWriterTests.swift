import HTTPService
import Testing

@Suite struct JSONWriterTests {
    @Test func writesNestedValues() {
        var json = JSONWriter()
        json.object { json in
            json.field("a", 1)
            json.field("b", ["x", "y"])
            json.key("c")
            json.array([1, 2]) { json, number in
                json.object { json in json.field("n", -number) }
            }
            json.field("none", Optional<UInt64>.none)
            json.field("text", Optional<String>.none)
            json.field("flag", true)
        }
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"a":1,"b":["x","y"],"c":[{"n":-1},{"n":-2}],"none":null,"text":null,"flag":true}"#)
    }

    @Test(arguments: [
        ("plain", #""plain""#), (#"a"b\c"#, #""a\"b\\c""#), ("\r\n\t", #""\r\n\t""#),
        ("\u{1}\u{1f}", #""\u0001\u001f""#),
        ("Grüße 👋", #""Grüße 👋""#), ("", #""""#),
    ])
    func escapesText(text: String, expected: String) {
        var json = JSONWriter()
        json.value(text)
        #expect(String(decoding: json.bytes, as: UTF8.self) == expected)
    }

    /// Long texts are looked at in words of eight bytes.
    @Test(arguments: ["\"", "\\", "\n", "\u{1f}", " ", "~", "\u{7f}", "ü", "\u{10ffff}"])
    func findsAnEscapeAnywhere(character: String) {
        var json = JSONWriter()
        json.value(character)
        let escaped = String(decoding: json.bytes.dropFirst().dropLast(), as: UTF8.self)
        for before in 0..<20 {
            for after in 0..<20 {
                let (head, tail) = (String(repeating: "a", count: before), String(repeating: "!", count: after))
                json = JSONWriter()
                json.value(head + character + tail)
                #expect(String(decoding: json.bytes, as: UTF8.self) == "\"\(head)\(escaped)\(tail)\"")
            }
        }
    }

    @Test func writesNumbersOfEveryLength() {
        var json = JSONWriter()
        json.array([0, 9, 10, -7, -100, .min, .max] as [Int64]) { $0.value($1) }
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == "[0,9,10,-7,-100,-9223372036854775808,9223372036854775807]")
        json = JSONWriter()
        json.value(UInt64.max)
        #expect(String(decoding: json.bytes, as: UTF8.self) == "18446744073709551615")
    }

    @Test func writesTimes() {
        var json = JSONWriter()
        json.object { $0.field("at", at: 1_767_225_600_007) }
        #expect(String(decoding: json.bytes, as: UTF8.self) == #"{"at":"2026-01-01T00:00:00.007Z"}"#)
    }
}
