import Testing

@testable import ManageSieve

@Suite struct ReplyTests {
    private func parser(_ text: String) throws -> SieveReplyParser {
        var parser = SieveReplyParser()
        try parser.append(text.utf8)
        return parser
    }

    @Test func linesEndWithOK() throws {
        var parser = try parser("\"one\"\r\n\"two\" ACTIVE\r\nOK \"done\"\r\nOK\r\n")
        let reply = try #require(try parser.next())
        #expect(reply.lines == [[.string(Array("one".utf8))], [.string(Array("two".utf8)), .word("ACTIVE")]])
        #expect(try parser.next()?.lines == [])
        #expect(try parser.next() == nil)
    }

    @Test func literalsAreTakenByTheirLength() throws {
        var parser = try parser("{11}\r\nOK\r\n\"keep\";\r\nOK\r\n")
        #expect(try parser.next()?.lines == [[.string(Array("OK\r\n\"keep\";".utf8))]])
    }

    @Test func aChallengeIsAStringThatIsWhole() throws {
        var parser = try parser("\"eyJz")
        #expect(try parser.next() == nil)
        #expect(try !parser.takeChallenge())
        try parser.append("In0=\"\r\nNO (AUTH) \"no\"\r\n".utf8)
        #expect(try parser.takeChallenge())
        #expect(try !parser.takeChallenge())
        #expect(throws: ManageSieveError.refused(code: "AUTH", text: "no")) { try parser.next() }
    }

    @Test func refusalsTellTheirCode() throws {
        var parser = try parser("NO (NONEXISTENT) \"No such \\\"script\\\".\"\r\nOK\r\n")
        #expect(throws: ManageSieveError.refused(code: "NONEXISTENT", text: "No such \"script\".")) {
            try parser.next()
        }
        #expect(try parser.next()?.lines == [])
        var ended = try self.parser("BYE \"Too long\"\r\n")
        #expect(throws: ManageSieveError.ended) { try ended.next() }
    }

    @Test func whatIsCutWaits() throws {
        let whole = Array("{3+}\r\nabc ACTIVE\r\n\"x\\\"y\"\r\nOK (WARNINGS) {2}\r\nhi\r\n".utf8)
        for count in 0..<whole.count {
            var parser = SieveReplyParser()
            try parser.append(whole[..<count])
            #expect(try parser.next() == nil)
            try parser.append(whole[count...])
            #expect(try parser.next()?.lines.count == 2)
        }
    }

    @Test func whatHasNoEndIsRefused() {
        var parser = SieveReplyParser()
        #expect(throws: ManageSieveError.malformed) {
            while true { try parser.append(repeatElement(UInt8(ascii: "a"), count: 1 << 20)) }
        }
    }
}
