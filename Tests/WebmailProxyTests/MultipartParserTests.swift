import Testing

@testable import WebmailProxy

@Suite struct MultipartParserTests {
    /// The parts that come out, whatever the cuts: headers and bytes.
    private struct Parts: Equatable {
        var parts: [(headers: [String: [UInt8]], bytes: [UInt8])] = []
        var ends = 0
        var isWhole = false

        static func == (a: Parts, b: Parts) -> Bool {
            a.ends == b.ends && a.isWhole == b.isWhole && a.parts.count == b.parts.count
                && zip(a.parts, b.parts).allSatisfy { $0.headers == $1.headers && $0.bytes == $1.bytes }
        }
    }

    private func parse(_ pieces: [ArraySlice<UInt8>], boundary: String = "XX") throws -> Parts {
        var parser = MultipartParser(boundary: Array(boundary.utf8))
        var result = Parts()
        for piece in pieces {
            for event in try parser.feed(piece) {
                switch event {
                case .part(let headers): result.parts.append((headers, []))
                case .bytes(let bytes): result.parts[result.parts.count - 1].bytes += bytes
                case .partEnd: result.ends += 1
                case .end: result.isWhole = true
                }
            }
        }
        return result
    }

    private func body(_ content: [UInt8]) -> [UInt8] {
        Array("preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\nX: 1\r\n\r\n".utf8)
            + content + Array("\r\n--XX \t\r\nContent-Type: text/plain\r\n\r\n\r\n--XX--\r\nepilogue".utf8)
    }

    private static let contents: [[UInt8]] = [
        [], Array("hello".utf8), Array("\r\n".utf8), Array("\r\n--X\r\n--\r\r\n-".utf8), [0, 0xff, 0x0d],
        Array("-XX--XX".utf8), Array("\r\n\r\n--XY\r\n--XX".utf8.dropLast()),
    ]

    @Test(arguments: contents.indices) func everyCutGivesTheSameParts(index: Int) throws {
        let content = Self.contents[index]
        let body = body(content)
        let whole = try parse([body[...]])
        try #require(whole.parts.count == 2 && whole.ends == 2 && whole.isWhole)
        #expect(whole.parts[0].bytes == content && whole.parts[1].bytes == [])
        #expect(whole.parts[0].headers["x"] == Array("1".utf8))
        for first in 0...body.count {
            #expect(try parse([body[..<first], body[first...]]) == whole)
            for second in stride(from: first, through: body.count, by: 7) {
                #expect(try parse([body[..<first], body[first..<second], body[second...]]) == whole)
            }
        }
        #expect(try parse(body.indices.map { body[$0...$0] }) == whole)
    }

    @Test func randomBytesAreGivenBackOrRefused() throws {
        for _ in 0..<300 {
            // Much of what it looks for, little else.
            let content = (0..<Int.random(in: 0...60)).map { _ in Array("\r\n-X0".utf8).randomElement() ?? 0 }
            guard !String(decoding: content, as: UTF8.self).contains("\r\n--XX"),
                !content.starts(with: Array("--XX".utf8))
            else { continue }
            let parts = try parse([body(content)[...]])
            #expect(parts.parts.first?.bytes == content)
        }
        for _ in 0..<300 {
            var parser = MultipartParser(boundary: [0x58])
            let noise = (0..<200).map { _ in Array("\r\n-X: a;\"".utf8).randomElement() ?? 0 }
            _ = try? parser.feed(noise)
        }
    }

    @Test func whatIsCutOffIsNotWhole() throws {
        let body = body(Array("hello".utf8))
        let end = body.count - "\r\nepilogue".utf8.count
        for cut in 0..<end { #expect(try !parse([body[..<cut]]).isWhole) }
    }

    @Test func absurdHeadersAreRefused() {
        let long = Array("--XX\r\nA: ".utf8) + [UInt8](repeating: 0x61, count: 20_000)
        #expect(throws: MultipartParser.Malformed.headers) { try parse([long[...]]) }
        #expect(throws: MultipartParser.Malformed.headers) { try parse([Array("--XX\r\nno colon\r\n\r\n".utf8)[...]]) }
        #expect(throws: MultipartParser.Malformed.boundary) { try parse([Array("--XXrest\r\n\r\n".utf8)[...]]) }
    }

    @Test func parametersAreReadAsWritten() {
        let raw = #"Form-Data; name="f;1"; filename="a \"b\" C:\dir\é.txt" ; x=y"#
        let (value, parameters) = HeaderValue.parse(Array(raw.utf8))
        #expect(value == "form-data")
        let texts = parameters.map { String(decoding: $0.value, as: UTF8.self) }
        #expect(texts == ["f;1", #"a "b" C:\dir\é.txt"#, "y"])
    }
}
