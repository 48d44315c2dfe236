/// One header field of a message, unfolded and decoded.
public struct MIMEHeader: Sendable, Hashable {
    /// As it was written; compare with `isNamed`.
    public var name: String
    /// Unfolded; RFC 2047 words decoded; raw 8-bit text read as UTF-8 or else Windows-1252. No CR, LF or NUL.
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Whether the field has this name; ASCII case is ignored (RFC 5322 §1.2.2).
    public func isNamed(_ other: String) -> Bool {
        name.utf8.count == other.utf8.count
            && zip(name.utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// Decodes the raw value of an unstructured header, such as the subject of an IMAP ENVELOPE (RFC 2047 §6).
    public static func decode(_ raw: [UInt8]) -> String { fatalError("to be written") }

    /// Splits a header block (`BODY[HEADER]`, or a whole message: reading stops at the first empty line) into fields,
    /// at most `limit` of them. Lines that are no field are skipped.
    public static func parseBlock(_ block: [UInt8], limit: Int = 1000) -> [MIMEHeader] { [] }

    /// The mailboxes of a raw address header; groups are flattened (RFC 5322 §3.4). At most 10,000.
    public static func addresses(_ raw: [UInt8]) -> [MIMEAddress] { [] }

    /// Milliseconds since 1970 in UTC of a raw `Date` value (RFC 5322 §3.3 and its obsolete forms); nil if unreadable.
    public static func date(_ raw: [UInt8]) -> Int64? { nil }

    /// The message ids of a raw `Message-ID`, `In-Reply-To` or `References` value, in order, without angle brackets.
    public static func messageIDs(_ raw: [UInt8]) -> [String] { [] }
}

extension UInt8 {
    var asciiLowercased: UInt8 { (0x41...0x5a).contains(self) ? self | 0x20 : self }
}
