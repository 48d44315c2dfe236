/// Why a server did not do what it was asked (RFC 5804 §1.2).
public enum ManageSieveError: Error, Equatable {
    /// It cannot be reached, or went away.
    case away
    /// It did not answer in time.
    case late
    /// `NO`: the code in parentheses, upper case, where there is one, and what the server says.
    case refused(code: String?, text: String)
    /// `BYE`: it will not go on.
    case ended
    /// What came is no ManageSieve.
    case malformed
}

/// An answer: lines of words and strings, then `OK` (RFC 5804 §4).
struct SieveReply: Sendable, Equatable {
    enum Token: Sendable, Equatable {
        case word(String)
        case string([UInt8])
        /// What stands in parentheses, as it is.
        case code(String)
    }

    let lines: [[Token]]
}

/// Reads answers from bytes as they come: pure, and bounded.
struct SieveReplyParser {
    /// Of one answer: bytes.
    static let longest = 4 << 20

    private var bytes: [UInt8] = []

    /// Whether nothing has come that was not taken.
    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ more: some Sequence<UInt8>) throws(ManageSieveError) {
        bytes += more
        guard bytes.count <= Self.longest else { throw .malformed }
    }

    /// The next answer; nil until it is whole.
    /// - Throws: `ManageSieveError` for `NO`, `BYE` and what is no answer.
    mutating func next() throws(ManageSieveError) -> SieveReply? {
        var position = 0
        var lines: [[SieveReply.Token]] = []
        while true {
            guard let line = try Self.line(bytes, &position) else { return nil }
            guard case .word(let word)? = line.first else {
                lines.append(line)
                continue
            }
            switch word.uppercased() {
            case "OK":
                bytes.removeFirst(position)
                return SieveReply(lines: lines)
            case "NO":
                bytes.removeFirst(position)
                throw Self.refusal(line)
            case "BYE": throw .ended
            default: lines.append(line)
            }
        }
    }

    /// Passes a challenge, which is a line that begins with a string (RFC 5804 §2.1).
    /// - Returns: Whether one was there, whole.
    mutating func takeChallenge() throws(ManageSieveError) -> Bool {
        var position = 0
        guard case .string? = try Self.line(bytes, &position)?.first else { return false }
        bytes.removeFirst(position)
        return true
    }

    private static func refusal(_ line: [SieveReply.Token]) -> ManageSieveError {
        var code: String?, text = ""
        for token in line.dropFirst() {
            if case .code(let found) = token { code = found.uppercased() }
            if case .string(let bytes) = token { text = String(decoding: bytes, as: UTF8.self) }
        }
        return .refused(code: code, text: text)
    }

    private static func line(
        _ bytes: [UInt8], _ position: inout Int
    ) throws(ManageSieveError) -> [SieveReply.Token]? {
        var tokens: [SieveReply.Token] = []
        while position < bytes.count {
            switch bytes[position] {
            case 0x0d:
                guard position + 1 < bytes.count else { return nil }
                guard bytes[position + 1] == 0x0a else { throw .malformed }
                position += 2
                return tokens
            case 0x20: position += 1
            case UInt8(ascii: "\""):
                guard let string = try quoted(bytes, &position) else { return nil }
                tokens.append(.string(string))
            case UInt8(ascii: "{"):
                guard let string = try literal(bytes, &position) else { return nil }
                tokens.append(.string(string))
            case UInt8(ascii: "("):
                guard let end = bytes[position...].firstIndex(of: UInt8(ascii: ")")) else { return nil }
                tokens.append(.code(String(decoding: bytes[position + 1..<end], as: UTF8.self)))
                position = end + 1
            default:
                let word = bytes[position...].prefix {
                    $0 > 0x20 && $0 != UInt8(ascii: "(") && $0 != UInt8(ascii: "\"")
                }
                guard !word.isEmpty else { throw .malformed }
                guard word.endIndex < bytes.count else { return nil }
                tokens.append(.word(String(decoding: word, as: UTF8.self)))
                position = word.endIndex
            }
        }
        return nil
    }

    private static func quoted(_ bytes: [UInt8], _ position: inout Int) throws(ManageSieveError) -> [UInt8]? {
        var string: [UInt8] = []
        var index = position + 1
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                position = index + 1
                return string
            case UInt8(ascii: "\\"):
                guard index + 1 < bytes.count else { return nil }
                string.append(bytes[index + 1])
                index += 2
            default:
                string.append(bytes[index])
                index += 1
            }
        }
        return nil
    }

    private static func literal(_ bytes: [UInt8], _ position: inout Int) throws(ManageSieveError) -> [UInt8]? {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
        let digits = bytes[position + 1..<end].filter { $0 != UInt8(ascii: "+") }
        guard let count = Int(String(decoding: digits, as: UTF8.self)), (0...longest).contains(count) else {
            throw .malformed
        }
        let start = end + 3
        guard start + count <= bytes.count else { return nil }
        position = start + count
        return Array(bytes[start..<start + count])
    }
}
