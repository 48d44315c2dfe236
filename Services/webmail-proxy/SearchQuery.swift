import IMAP
import MailModel

/// What the `q` of a message list asks for: words, and terms such as `from:ann` or `before:2026-01-31`.
///
/// Terms are separated by spaces and all must hold; `OR` between two terms lets either do, and `-` or `NOT ` in front of
/// one turns it round. A value with spaces stands in double quotes. A word without a prefix is looked for in the subject
/// and the addresses.
struct SearchQuery: Sendable, Equatable {
    indirect enum Term: Sendable, Equatable {
        case words(String)
        case from(String)
        case to(String)
        case cc(String)
        case bcc(String)
        case subject(String)
        case body(String)
        /// A day: arrived before it, or on it and later, or on it.
        case before(CalendarDay)
        case since(CalendarDay)
        case on(CalendarDay)
        /// Bytes.
        case larger(UInt32)
        case smaller(UInt32)
        case flag(MessageFlag)
        case attachment
        case not(Term)
        case or(Term, Term)

        /// Whether attachments are asked for within, which no search key can.
        fileprivate var hidesAttachment: Bool {
            switch self {
            case .or(let one, let other): one.asksForAttachment || other.asksForAttachment
            default: false
            }
        }

        private var asksForAttachment: Bool {
            switch self {
            case .attachment: true
            case .not(let term): term.asksForAttachment
            case .or(let one, let other): one.asksForAttachment || other.asksForAttachment
            default: false
            }
        }
    }

    /// All but those about attachments.
    let terms: [Term]
    /// Only messages with, or without, attachments.
    let hasAttachments: Bool?

    private static let maximumTerms = 16

    /// - Throws: `Failure` of kind `invalid` for the field `q`.
    init(_ text: String) throws(Failure) {
        guard text.utf8.count <= 1000, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw .invalid("q", code: "invalid_query", "must be at most 1000 bytes without control characters")
        }
        var terms = try Self.terms(Self.split(text)[...])
        guard terms.count <= Self.maximumTerms else {
            throw .invalid("q", code: "invalid_query", "must be at most \(Self.maximumTerms) terms")
        }
        guard !terms.contains(where: \.hidesAttachment) else {
            throw .invalid("q", code: "invalid_query", "has:attachment cannot stand beside OR")
        }
        let wants = terms.contains(.attachment), refuses = terms.contains(.not(.attachment))
        guard !wants || !refuses else {
            throw .invalid("q", code: "invalid_query", "has:attachment is asked for and refused")
        }
        terms.removeAll { $0 == .attachment || $0 == .not(.attachment) }
        self.terms = terms
        hasAttachments = wants ? true : refuses ? false : nil
    }

    /// A word as typed, and whether it began with a quote, so that it is no operator.
    private struct Word {
        var text = ""
        var isQuoted = false
    }

    /// At spaces, except between double quotes, which are taken off.
    private static func split(_ text: String) -> [Word] {
        var words: [Word] = []
        var word = Word()
        var isInQuotes = false
        for character in text {
            switch character {
            case "\"":
                isInQuotes.toggle()
                if word.text.isEmpty { word.isQuoted = true }
            case " " where !isInQuotes:
                if !word.text.isEmpty { words.append(word) }
                word = Word()
            default: word.text.append(character)
            }
        }
        return word.text.isEmpty ? words : words + [word]
    }

    private static func terms(_ words: ArraySlice<Word>) throws(Failure) -> [Term] {
        var terms: [Term] = []
        var rest = words
        while let word = rest.popFirst() {
            guard !word.isQuoted, word.text == "OR" else {
                terms.append(try term(word, &rest))
                continue
            }
            guard let former = terms.popLast(), let next = rest.popFirst() else {
                throw .invalid("q", code: "invalid_query", "OR must stand between two terms")
            }
            terms.append(.or(former, try term(next, &rest)))
        }
        return terms
    }

    private static func term(_ word: Word, _ rest: inout ArraySlice<Word>) throws(Failure) -> Term {
        if word.isQuoted { return .words(word.text) }
        if word.text == "NOT", let next = rest.popFirst() { return .not(try term(next.text)) }
        if word.text.first == "-", word.text.count > 1 { return .not(try term(String(word.text.dropFirst()))) }
        return try term(word.text)
    }

    private static func term(_ word: String) throws(Failure) -> Term {
        guard let colon = word.firstIndex(of: ":") else { return .words(word) }
        let value = String(word[word.index(after: colon)...])
        let prefix = word[..<colon].lowercased()
        let known = [
            "from", "to", "cc", "bcc", "subject", "body", "before", "after", "since", "on", "larger", "smaller", "is",
            "has",
        ]
        guard known.contains(prefix) else { return .words(word) }
        guard !value.isEmpty else { throw .invalid("q", code: "invalid_query", "\(prefix): needs a value") }
        switch prefix {
        case "from": return .from(value)
        case "to": return .to(value)
        case "cc": return .cc(value)
        case "bcc": return .bcc(value)
        case "subject": return .subject(value)
        case "body": return .body(value)
        case "before": return .before(try day(value, prefix: prefix))
        case "after", "since": return .since(try day(value, prefix: prefix))
        case "on": return .on(try day(value, prefix: prefix))
        case "larger": return .larger(try size(value, prefix: prefix))
        case "smaller": return .smaller(try size(value, prefix: prefix))
        default: return try state(prefix, value)
        }
    }

    private static func day(_ value: String, prefix: String) throws(Failure) -> CalendarDay {
        let parts = value.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard parts.count == 3, let day = CalendarDay(year: parts[0], month: parts[1], day: parts[2]),
            day.day <= lengths[day.month - 1], day.year >= 1970
        else {
            throw .invalid("q", code: "invalid_query", "\(prefix): needs a day such as 2026-01-31")
        }
        return day
    }

    /// `larger:2M`: bytes, or kB, MB and GB of 2^10, 2^20 and 2^30.
    private static func size(_ value: String, prefix: String) throws(Failure) -> UInt32 {
        let factors: [Character: UInt32] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        var digits = value.lowercased()[...]
        if digits.last == "b" { digits.removeLast() }
        let factor = digits.last.flatMap { factors[$0] }
        if factor != nil { digits.removeLast() }
        guard let number = UInt32(digits) else {
            throw .invalid("q", code: "invalid_query", "\(prefix): needs a size such as 500k or 2M")
        }
        let (size, isTooLarge) = number.multipliedReportingOverflow(by: factor ?? 1)
        return isTooLarge ? .max : size
    }

    private static func state(_ prefix: String, _ value: String) throws(Failure) -> Term {
        switch "\(prefix):\(value.lowercased())" {
        case "is:unread", "is:unseen": return .not(.flag(.seen))
        case "is:read", "is:seen": return .flag(.seen)
        case "is:flagged", "is:starred": return .flag(.flagged)
        case "is:unflagged", "is:unstarred": return .not(.flag(.flagged))
        case "is:answered", "is:replied": return .flag(.answered)
        case "is:unanswered": return .not(.flag(.answered))
        case "is:draft": return .flag(.draft)
        case "is:forwarded": return .flag(.forwarded)
        case "has:attachment", "has:attachments": return .attachment
        default: throw .invalid("q", code: "invalid_query", "\(prefix):\(value) is not known")
        }
    }
}
