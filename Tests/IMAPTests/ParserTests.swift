import Testing

@testable import IMAP

/// Responses that Dovecot does not send, and such as nobody should.
struct ParserTests {
    private func parse(_ line: String, limits: IMAPLimits = IMAPLimits()) throws -> IMAPResponse {
        try Array((line + "\r\n").utf8).withUnsafeBytes { try ResponseParser(limits: limits).parse($0) }
    }

    private func frames(_ text: String, limits: IMAPLimits = IMAPLimits()) throws -> Int {
        var framer = ResponseFramer(limits: limits)
        Array(text.utf8).withUnsafeBytes { framer.append($0) }
        var count = 0
        while try framer.next({ (frame) throws(IMAPError) in frame.count }) != nil { count += 1 }
        return count
    }

    @Test func unknownIsPreserved() throws {
        #expect(
            try parse("* XYZZY (1 (2))") == .untagged(.other("XYZZY", Array("* XYZZY (1 (2))\r\n".utf8))))
        let fetch = try parse("* 3 FETCH (X-NEW (a (b \"c)\")) UID 9 ENVELOPE (broken) EMAILID (M1) THREADID NIL)")
        var expected = FetchedMessage(sequenceNumber: 3)
        expected.uid = 9
        expected.emailID = "M1"
        #expect(fetch == .untagged(.fetch(expected)))
        #expect(throws: IMAPError.self) { try parse("HTTP/1.1 400 Bad Request") }
        #expect(throws: IMAPError.self) { try parse("") }
    }

    @Test(arguments: ["9223372036854775808", "18446744073709551615", "18446744073709551616"])
    func absurdSizesAreNotRead(size: String) throws {
        let part = #"("application" "pdf" NIL NIL NIL "base64" \#(size))"#
        let fetch = try parse(
            "* 1 FETCH (UID 9 RFC822.SIZE \(size) BODYSTRUCTURE \(part) MODSEQ (18446744073709551615))")
        var expected = FetchedMessage(sequenceNumber: 1)
        expected.uid = 9
        expected.modSeq = .max
        #expect(fetch == .untagged(.fetch(expected)))
        guard case .untagged(.other("FETCH", _)) = try parse("* 1 FETCH (UID 9 BINARY.SIZE[1] \(size))") else {
            Issue.record("read a BINARY.SIZE of \(size)")
            return
        }
    }

    @Test func noMessageHasTheNumberZero() throws {
        guard case .untagged(.other("FETCH", _)) = try parse("* 0 FETCH (UID 1)") else {
            Issue.record("read a message with the number 0")
            return
        }
    }

    @Test(arguments: [
        ("* THREAD (2)(3 6 (4 23)(44 7 96))", [[2], [3, 6, 4, 23, 44, 7, 96]]), ("* THREAD", []), ("* THREAD ", []),
        ("* THREAD ((3)(5))", [[3, 5]]),
        ("* THREAD " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000), [[1]]),
    ])
    func threads(line: String, members: [[UInt32]]) throws {
        #expect(try parse(line) == .untagged(.thread(members.map { MessageThread($0) })))
    }

    @Test(arguments: ["* THREAD (1", "* THREAD 1)", "* THREAD (1))", "* THREAD (x)", "* THREAD (99999999999)"])
    func brokenThreadsAreNone(line: String) throws {
        guard case .untagged(.other("THREAD", _)) = try parse(line) else {
            Issue.record("read: \(line)")
            return
        }
    }

    @Test(arguments: [
        ("AUTHENTICATIONFAILED", ResponseCode.authenticationFailed), ("UNAVAILABLE", .unavailable),
        ("OVERQUOTA", .overQuota), ("READ-ONLY", .readOnly), ("CLOSED", .closed),
        ("HIGHESTMODSEQ 99", .highestModSeq(99)),
        ("BADCHARSET (UTF-8)", .other("BADCHARSET", argument: "(UTF-8)")),
        ("UIDNEXT x", .other("UIDNEXT", argument: "x")),
    ])
    func codes(text: String, code: ResponseCode) throws {
        #expect(
            try parse("A1 NO [\(text)] Sorry.")
                == .tagged("A1", StatusResponse(condition: .no, code: code, text: "Sorry.")))
    }

    @Test func quotaAndLists() throws {
        #expect(
            try parse("* QUOTA \"User quota\" (STORAGE 10 512)")
                == .untagged(
                    .quota(
                        MailboxQuota(
                            root: "User quota", resources: [.init(name: "STORAGE", usage: 10, limit: 512)]))))
        let mailbox = ListedMailbox(
            name: "Entwürfe", delimiter: ".", attributes: [.noInferiors], oldName: MailboxName("Old"))
        #expect(
            try parse("* LIST (\\NoInferiors) \".\" \"Entw&APw-rfe\" (\"OLDNAME\" (\"Old\"))")
                == .untagged(.list(mailbox)))
    }

    /// Dovecot writes such names without quotes.
    @Test(arguments: ["[", "]", "[Gmail]/All", "~x", "~", "NIL", "a]b", "%", "a*"])
    func namesAreAtomsToo(name: String) throws {
        #expect(
            try parse("* LIST () \"/\" \(name)")
                == .untagged(.list(ListedMailbox(name: MailboxName(wire: name), delimiter: "/", attributes: []))))
    }

    @Test func bracesInTextAreNoLiteral() throws {
        #expect(try frames("* OK see {12}\r\n* NO {3}\r\nA1 OK {4}\r\n+ {5}\r\n") == 4)
        #expect(try frames("* LIST () NIL {3+}\r\n\r\n)\r\n* X ~{0}\r\n\r\n") == 2)
        #expect(try frames("* X {}\r\n* Y {a}\r\n* Z 3}\r\n") == 3)
    }

    @Test func limitsHold() throws {
        let limits = IMAPLimits(lineBytes: 100, literalBytes: 50, responseBytes: 80, depth: 4, listItems: 3)
        let tooMuch = [
            String(repeating: "x", count: 101), "* X {51}\r\n", "* X {99999999999999999999}\r\n",
            "* X {50}\r\n" + String(repeating: "x", count: 50) + "{50}\r\n",
        ]
        for text in tooMuch { #expect(throws: IMAPError.self) { try frames(text, limits: limits) } }
        let deep = "* 1 FETCH (UID 1 BODYSTRUCTURE " + String(repeating: "(", count: 100_000)
        guard case .untagged(.other) = try parse(deep) else { return #expect(Bool(false)) }
        guard case .untagged(.other("FLAGS", _)) = try parse("* FLAGS (a b c d)", limits: limits) else {
            return #expect(Bool(false))
        }
        #expect(SequenceSet.all.numbers(limit: 10).count == 10)
    }

    @Test(arguments: [
        ("Entwürfe", "Entw&APw-rfe"), ("A&B", "A&-B"), ("日本語", "&ZeVnLIqe-"), ("台北/x", "&U,BTFw-/x"), ("😀", "&2D3eAA-"),
    ])
    func modifiedUTF7(name: String, wire: String) {
        #expect(MailboxName(name).wire == wire)
        #expect(MailboxName(wire: wire).name == name)
    }

    @Test func brokenNamesKeepTheirForm() {
        for wire in ["&", "&AP", "&A-", "&2D0-", "a&**-"] {
            #expect(MailboxName(wire: wire).name == wire)
            #expect(MailboxName(wire: wire).wire == wire)
        }
        #expect(MailboxName("inBox") == .inbox)
    }

    @Test func dates() {
        let date = InternalDate(secondsSince1970: 837_596_665, offsetMinutes: -420)
        #expect(date.description == "17-Jul-1996 02:44:25 -0700")
        #expect(InternalDate(secondsSince1970: -1).description == "31-Dec-1969 23:59:59 +0000")
        #expect(CalendarDay(year: 2024, month: 2, day: 29)?.description == "29-Feb-2024")
    }
}
