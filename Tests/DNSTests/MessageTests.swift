import Testing

@testable import DNS

@Suite struct MessageTests {
    @Test func questionIsAsOnTheWire() throws {
        let message = DNSMessage(id: 0x1234, name: "mx.example.com", type: .mx, wantsRecursion: true)
        let bytes = try message.encoded()
        #expect(bytes.prefix(12) == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        #expect(
            Array(bytes.dropFirst(12)) == [2] + Array("mx".utf8) + [7] + Array("example".utf8) + [3] + Array("com".utf8)
                + [0, 0, 15, 0, 1])
        #expect(try DNSMessage(parsing: bytes) == message)
    }

    @Test func compressedNamesAreWrittenOut() throws {
        // A CNAME at www.a.test that leads to a.test, both told by pointers.
        let bytes: [UInt8] =
            [0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 3] + Array("www".utf8) + [1] + Array("a".utf8) + [4]
            + Array("test".utf8) + [0, 0, 5, 0, 1, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 16]
        let message = try DNSMessage(parsing: bytes)
        let answer = try #require(message.answers.first)
        #expect(answer.name == "www.a.test" && answer.ttl == 60)
        #expect(DNSPresentation.text(type: .cname, data: answer.data) == "a.test.")
    }

    @Test func pointersThatGoRoundEnd() {
        let loop: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1]
        #expect(throws: DNSError.malformed) { try DNSMessage(parsing: loop) }
    }

    @Test func everyCutEndsInAnErrorOrAMessage() throws {
        var message = DNSMessage(id: 7, name: "a.test", type: .txt, wantsRecursion: false)
        message.answers = [
            DNSResourceRecord(
                name: "a.test", type: .txt, ttl: 1,
                data: try DNSPresentation.data(type: .txt, text: #""hello" "world""#))
        ]
        let bytes = try message.encoded()
        for count in 0..<bytes.count {
            #expect(throws: DNSError.self) { try DNSMessage(parsing: Array(bytes[..<count])) }
        }
        for index in bytes.indices {
            for value: UInt8 in [0, 0x3f, 0xc0, 0xff] {
                var changed = bytes
                changed[index] = value
                _ = try? DNSMessage(parsing: changed)
            }
        }
    }

    @Test(arguments: [
        "", String(repeating: "a", count: 64) + ".test", "a..test", String(repeating: "ab.", count: 90) + "test",
    ])
    func namesThatCannotBeAreNotSent(name: String) {
        let message = DNSMessage(id: 1, name: name, type: .a, wantsRecursion: false)
        if name.isEmpty { return }
        #expect(throws: DNSError.malformed) { try message.encoded() }
    }

    @Test(arguments: [
        (DNSType.mx, "10 mx.example.com."), (.cname, "host.example.com."), (.srv, "0 1 993 imap.example.com."),
        (.srv, "0 0 0 ."), (.txt, #""v=spf1 -all""#), (.txt, #""a \"quoted\" \\ word \233""#),
        (.tlsa, "3 1 1 00ff10"),
    ])
    func valuesComeBackAsTheyWere(type: DNSType, text: String) throws {
        #expect(DNSPresentation.text(type: type, data: try DNSPresentation.data(type: type, text: text)) == text)
    }

    @Test func longTextsAreCut() throws {
        let text = DNSPresentation.quoted(Array(repeating: 0x61, count: 600))
        #expect(text.split(separator: " ").map(\.count) == [257, 257, 92])
        #expect(try DNSPresentation.unquoted(text).count == 600)
        #expect(try DNSPresentation.data(type: .txt, text: text).count == 603)
    }

    @Test func signatureIsTheLastRecordAndCoversAll() throws {
        let key = try #require(TSIGKey(name: "xynap.", secret: "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"))
        let message = DNSMessage(id: 9, updating: "a.test", changes: [])
        let signed = try DNSMessage(parsing: key.sign(message, time: 1_700_000_000))
        let signature = try #require(signed.additional.last)
        #expect(signed.additional.count == 1 && signature.type == DNSType.tsig.rawValue && signature.recordClass == 255)
        #expect(try key.sign(message, time: 1_700_000_000) != key.sign(message, time: 1_700_000_001))
        #expect(TSIGKey(name: "x", secret: "no base64!") == nil)
    }
}
