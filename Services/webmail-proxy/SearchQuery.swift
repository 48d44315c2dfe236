import IMAP
import MailModel

/// What the `q` of a message list asks for: words and `from: to: subject: body: before: after: larger: is:unread`.
///
/// Terms are separated by spaces and all must hold; a value with spaces stands in double quotes. A word without a
/// prefix is looked for in the subject and the addresses.
struct SearchQuery: Equatable {
    enum Term: Equatable {
        case words(String)
        case from(String)
        case to(String)
        case subject(String)
        case body(String)
        /// A day: arrived before it, or on it and later.
        case before(CalendarDay)
        case since(CalendarDay)
        /// Bytes.
        case larger(UInt32)
        case unread, read, flagged
    }

    let terms: [Term]

    private static let maximumTerms = 16

    /// - Throws: `Failure` of kind `invalid` for the field `q`.
    init(_ text: String) throws(Failure) {
        guard text.utf8.count <= 1000, text.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw .invalid("q", code: "invalid_query", "must be at most 1000 bytes without control characters")
        }
        var terms: [Term] = []
        for word in Self.split(text) { terms.append(try Self.term(word)) }
        guard terms.count <= Self.maximumTerms else {
            throw .invalid("q", code: "invalid_query", "must be at most \(Self.maximumTerms) terms")
        }
        self.terms = terms
    }

    /// At spaces, except between double quotes, which are taken off.
    private static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        for character in text {
            switch character {
            case "\"": isQuoted.toggle()
            case " " where !isQuoted:
                if !word.isEmpty { words.append(word) }
                word = ""
            default: word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }

    private static func term(_ word: String) throws(Failure) -> Term {
        guard let colon = word.firstIndex(of: ":") else { return .words(word) }
        let value = String(word[word.index(after: colon)...])
        let prefix = word[..<colon].lowercased()
        let known = ["from", "to", "subject", "body", "before", "after", "larger", "is", "has"]
        guard known.contains(prefix) else { return .words(word) }
        guard !value.isEmpty else { throw .invalid("q", code: "invalid_query", "\(prefix): needs a value") }
        switch prefix {
        case "from": return .from(value)
        case "to": return .to(value)
        case "subject": return .subject(value)
        case "body": return .body(value)
        case "before", "after": return try day(value, prefix: prefix)
        case "larger": return .larger(try size(value))
        default: return try state(prefix, value)
        }
    }

    private static func day(_ value: String, prefix: String) throws(Failure) -> Term {
        let parts = value.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard parts.count == 3, let day = CalendarDay(year: parts[0], month: parts[1], day: parts[2]) else {
            throw .invalid("q", code: "invalid_query", "\(prefix): needs a day such as 2026-01-31")
        }
        return prefix == "before" ? .before(day) : .since(day)
    }

    /// `larger:2M`: bytes, or kB and MB of 2^10 and 2^20.
    private static func size(_ value: String) throws(Failure) -> UInt32 {
        let factors: [Character: UInt32] = ["k": 1 << 10, "m": 1 << 20]
        let factor = value.lowercased().last.flatMap { factors[$0] }
        guard let number = UInt32(factor == nil ? value : String(value.dropLast())) else {
            throw .invalid("q", code: "invalid_query", "larger: needs a size such as 500k or 2M")
        }
        let (size, isTooLarge) = number.multipliedReportingOverflow(by: factor ?? 1)
        return isTooLarge ? .max : size
    }

    private static func state(_ prefix: String, _ value: String) throws(Failure) -> Term {
        switch "\(prefix):\(value.lowercased())" {
        case "is:unread", "is:unseen": return .unread
        case "is:read", "is:seen": return .read
        case "is:flagged", "is:starred": return .flagged
        case "has:attachment":
            throw .invalid("q", code: "unsupported", "has:attachment is not supported yet")
        default: throw .invalid("q", code: "invalid_query", "\(prefix):\(value) is not known")
        }
    }
}
