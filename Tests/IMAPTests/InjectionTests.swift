import Testing

@testable import IMAP

/// No text from outside can end its own argument.
struct InjectionTests {
    static let texts = [
        "x\r\nA9 DELETE INBOX", "x\nA9 NOOP", "x\rA9 NOOP", "x\" \"y", "x\\", "x\\\"", "{5+}\r\nA9 NOOP", "{5}",
        "ü\r\n{3+}",
        "", " ", "*", "(a)", String(repeating: "x", count: 2000),
    ]

    /// Reads back what was written as a server would: the arguments as strings, or nil if a line ends early.
    private func readBack(_ request: CommandRequest) -> [String]? {
        var strings: [String] = []
        for segment in request.segments {
            switch segment {
            case .literal(let bytes, _): strings.append(String(decoding: bytes, as: UTF8.self))
            case .text(let text):
                guard !text.contains(where: { $0 < 0x20 || $0 > 0x7E }) else { return nil }
                var rest = text[...]
                while let quote = rest.firstIndex(of: UInt8(ascii: "\"")) {
                    rest = rest[(quote + 1)...]
                    var string: [UInt8] = []
                    while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
                        guard byte == UInt8(ascii: "\\") else {
                            string.append(byte)
                            continue
                        }
                        guard let escaped = rest.popFirst() else { return nil }
                        string.append(escaped)
                    }
                    strings.append(String(decoding: string, as: UTF8.self))
                }
            }
        }
        return strings
    }

    @Test(arguments: texts)
    func textsStayTexts(text: String) {
        #expect(readBack(IMAPCommand.uidSearch(.subject(text)).request) == [text])
        #expect(readBack(IMAPCommand.id([("x-originating-ip", text)]).request) == ["x-originating-ip", text])
        #expect(readBack(IMAPCommand.create(MailboxName(wire: text)).request) == [text])
        #expect(readBack(IMAPCommand.create(MailboxName(text)).request) == [MailboxName(text).wire])
        let section = MessageSection(text: .headerFields([text]))
        #expect(readBack(IMAPCommand.uidFetch([1], [.body(section)]).request) == [text])
    }

    @Test func whatCannotBeSaidIsRefused() {
        #expect(IMAPCommand.create(MailboxName(wire: "a\0b")).request.invalid != nil)
        #expect(IMAPCommand.uidStore([1], .add(["a b"])).request.invalid != nil)
        #expect(IMAPCommand.uidStore([1], .add(["\\Seen) NOOP"])).request.invalid != nil)
        #expect(IMAPCommand.uidStore([1], .add([""])).request.invalid != nil)
        #expect(IMAPCommand.uidStore([], .add([.seen])).request.invalid != nil)
        #expect(IMAPCommand.uidStore([0], .add([.seen])).request.invalid != nil)
        #expect(IMAPCommand.enable(["QRESYNC\r\nA1 NOOP"]).request.invalid != nil)
        #expect(IMAPCommand.uidSearch(.flag("a\"b")).request.invalid != nil)
        #expect(IMAPCommand.uidFetch([1], []).request.invalid != nil)
        #expect(IMAPCommand.append([0, 1], to: "A").request.invalid == nil, "a literal8 may hold NUL")
    }
}
