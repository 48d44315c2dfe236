/// Splits a server's bytes into replies (RFC 5321 §4.2.1), however they are cut.
struct SMTPReplyParser {
    /// RFC 5321 §4.5.3.1.5 has 512 bytes; servers write more.
    private static let longestLine = 8192
    private static let mostLines = 256

    private var line: [UInt8] = []
    private var code = 0
    private var texts: [String] = []

    /// Whether bytes of a reply that is not yet whole have been seen.
    var isInsideReply: Bool { !line.isEmpty || !texts.isEmpty }

    /// - Returns: the replies that these bytes complete, in order.
    /// - Throws: `SMTPError.protocolViolation`; the parser is then of no further use.
    mutating func feed(_ bytes: some Sequence<UInt8>) throws(SMTPError) -> [SMTPReply] {
        var replies: [SMTPReply] = []
        for byte in bytes {
            guard byte == 0x0a else {
                guard line.count < Self.longestLine else { throw .protocolViolation("the reply line is too long") }
                line.append(byte)
                continue
            }
            if line.last == 0x0d { line.removeLast() }
            if let reply = try finishLine() { replies.append(reply) }
            line.removeAll(keepingCapacity: true)
        }
        return replies
    }

    /// `code SP text` ends a reply, `code-text` continues it.
    private mutating func finishLine() throws(SMTPError) -> SMTPReply? {
        guard line.count >= 3, line[..<3].allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .protocolViolation("the reply has no code")
        }
        let number = line[..<3].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        let separator = line.count > 3 ? line[3] : 0x20
        guard (200..<600).contains(number), separator == 0x20 || separator == UInt8(ascii: "-"),
            texts.isEmpty || number == code
        else { throw .protocolViolation("the reply code is malformed") }
        code = number
        texts.append(String(decoding: line.dropFirst(4), as: UTF8.self))
        guard texts.count <= Self.mostLines else { throw .protocolViolation("the reply has too many lines") }
        guard separator == 0x20 else { return nil }
        defer { texts = [] }
        return SMTPReply(code: code, texts: texts)
    }
}

extension SMTPReply {
    /// Takes the enhanced status code off the text (RFC 2034 §4), where every line begins with the same.
    init(code: Int, texts: [String]) {
        let split = texts.map { EnhancedStatusCode.split($0) }
        let status = split[0].status
        let isShared = status?.severity == code / 100 && split.allSatisfy { $0.status == status }
        self.code = code
        self.enhancedStatus = isShared ? status : nil
        self.lines = isShared ? split.map(\.rest) : texts
    }
}

extension EnhancedStatusCode {
    fileprivate static func split(_ text: String) -> (status: EnhancedStatusCode?, rest: String) {
        let word = text.prefix { $0 != " " }
        let numbers = word.split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 3, numbers.allSatisfy({ (1...3).contains($0.utf8.count) }),
            let severity = Int(numbers[0]), let subject = Int(numbers[1]), let detail = Int(numbers[2]),
            [2, 4, 5].contains(severity), subject >= 0, detail >= 0
        else { return (nil, text) }
        return (EnhancedStatusCode(severity, subject, detail), String(text.dropFirst(word.count + 1)))
    }
}
