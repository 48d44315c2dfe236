/// A message flag or keyword (RFC 9051 §2.3.2). System flags compare without regard to case.
public struct MessageFlag: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let rawValue: String

    /// Known flags are brought to their usual spelling; keywords keep the one given.
    public init(rawValue: String) {
        self.rawValue = Self.spellings[rawValue.lowercased()] ?? rawValue
    }

    public init(stringLiteral value: String) {
        self.init(rawValue: value)
    }

    /// For the parser, which has the usual spelling already.
    init(canonical: String) {
        rawValue = canonical
    }

    public var description: String { rawValue }
    /// `\Seen` and its kind, which have their meaning from the standard.
    public var isSystem: Bool { rawValue.utf8.first == UInt8(ascii: "\\") }

    public static let answered = Self(canonical: "\\Answered")
    public static let deleted = Self(canonical: "\\Deleted")
    public static let draft = Self(canonical: "\\Draft")
    public static let flagged = Self(canonical: "\\Flagged")
    public static let recent = Self(canonical: "\\Recent")
    public static let seen = Self(canonical: "\\Seen")
    public static let forwarded = Self(canonical: "$Forwarded")
    public static let junk = Self(canonical: "$Junk")
    public static let notJunk = Self(canonical: "$NotJunk")
    public static let phishing = Self(canonical: "$Phishing")
    /// `\*` in PERMANENTFLAGS: new keywords may be made (RFC 9051 §7.1).
    public static let any = Self(canonical: "\\*")

    private static let spellings: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            answered, deleted, draft, flagged, recent, seen, forwarded, junk, notJunk, phishing,
        ].map { ($0.rawValue.lowercased(), $0.rawValue) })
}
