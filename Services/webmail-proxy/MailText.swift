import IMAP
import MIME

/// Decoding of the texts of an ENVELOPE, with a short way for the many that are plain.
enum MailText {
    /// The longest text that is shown: bytes.
    private static let longest = 8192

    /// RFC 2047 words decoded; empty for nil. What is longer than anybody reads is cut.
    static func decode(_ whole: String?) -> String {
        guard let whole else { return "" }
        let raw = whole.utf8.count > longest ? String(decoding: whole.utf8.prefix(longest), as: UTF8.self) : whole
        return isPlain(raw) ? raw : MIMEHeader.decode(bytes(of: raw))
    }

    /// Whether a text says what it says: there is nothing in it to decode, and it is not too long.
    static func isPlain(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.count <= longest else { return false }
            var previous: UInt8 = 0
            for byte in bytes {
                // An encoded word begins with `=?`; a line fold or other control character has to go as well.
                // C1 controls are Windows-1252 that was read as ISO 8859-1 for want of anything better.
                if byte < 0x20 || (byte == UInt8(ascii: "?") && previous == UInt8(ascii: "="))
                    || (previous == 0xc2 && (0x80...0x9f).contains(byte))
                {
                    return false
                }
                previous = byte
            }
            return true
        }
    }

    /// A folded value in one line.
    static func withoutLineEnds(_ raw: String) -> String {
        guard raw.utf8.contains(where: { $0 == 0x0a || $0 == 0x0d }) else { return raw }
        return String(decoding: raw.utf8.filter { $0 != 0x0a && $0 != 0x0d }, as: UTF8.self)
    }

    /// The bytes as the server had them, where they were read one by one.
    private static func bytes(of text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var hasControls = false
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return Array(text.utf8) }
            hasControls = hasControls || (0x80...0x9f).contains(byte)
            bytes.append(byte)
        }
        return hasControls ? bytes : Array(text.utf8)
    }

    /// The mailboxes of an address list; the marks of groups are left out (RFC 9051 §7.5.2).
    static func addresses(_ list: [EnvelopeAddress]) -> [MIMEAddress] {
        list.compactMap { entry in
            entry.address.map { MIMEAddress(name: decode(entry.name), address: decode($0)) }
        }
    }

    /// Decoded parameters of a part's `Content-Type` or `Content-Disposition`.
    static func parameters(_ parameters: HeaderParameters) -> MIMEParameters {
        MIMEParameters(raw: parameters.all.map { (name: Array($0.name.utf8), value: Array($0.value.utf8)) })
    }
}
