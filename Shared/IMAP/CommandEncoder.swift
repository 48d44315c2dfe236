/// Writes the arguments of one command.
///
/// The only way for outside text onto the wire is through `string`, `mailbox`, `atom` and `literal`: each either keeps
/// it within its own syntax or marks the command as invalid.
struct CommandEncoder: Sendable {
    /// Bytes between which a server without LITERAL+ must be waited for (RFC 9051 §4.3).
    enum Segment: Sendable, Equatable {
        case text([UInt8])
        case literal([UInt8], isBinary: Bool)
    }

    private var segments: [Segment] = []
    private var text: [UInt8]
    private var invalid: String?

    init(_ name: StaticString) {
        text = name.withUTF8Buffer { Array($0) }
    }

    func finish() -> (segments: [Segment], invalid: String?) {
        (segments + [.text(text)], invalid)
    }

    /// Words of the protocol, written in our source.
    mutating func words(_ words: StaticString) {
        words.withUTF8Buffer { text.append(contentsOf: $0) }
    }

    mutating func number(_ number: some BinaryInteger) {
        text.append(contentsOf: String(number).utf8)
    }

    mutating func set(_ set: SequenceSet) {
        if set.isEmpty || set.ranges.contains(where: { $0.lowerBound == 0 }) { reject("an empty or zero sequence set") }
        text.append(contentsOf: set.description.utf8)
    }

    /// A quoted string where that can hold it, else a literal (RFC 9051 §4.3).
    mutating func string(_ string: String) {
        var string = string
        let quoted: [UInt8]? = string.withUTF8 { bytes in
            guard bytes.count <= 1000, bytes.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
            var quoted: [UInt8] = [UInt8(ascii: "\"")]
            for byte in bytes {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quoted.append(UInt8(ascii: "\\")) }
                quoted.append(byte)
            }
            quoted.append(UInt8(ascii: "\""))
            return quoted
        }
        if let quoted { text.append(contentsOf: quoted) } else { literal(Array(string.utf8)) }
    }

    mutating func mailbox(_ mailbox: MailboxName) {
        string(mailbox.wire)
    }

    /// A literal; with NUL inside it must be a literal8, which few commands take (RFC 9051 §4.3).
    mutating func literal(_ bytes: [UInt8], mayBeBinary: Bool = false) {
        let hasNull = bytes.contains(0)
        if hasNull && !mayBeBinary { reject("text with a NUL") }
        segments.append(.text(text))
        segments.append(.literal(bytes, isBinary: hasNull))
        text = []
    }

    /// A flag, a keyword or a capability.
    mutating func atom(_ atom: String) {
        let body = atom.utf8.first == UInt8(ascii: "\\") ? atom.utf8.dropFirst() : atom.utf8[...]
        if body.isEmpty || !body.allSatisfy(Self.isAtomByte) { reject("not an atom") }
        text.append(contentsOf: atom.utf8)
    }

    /// What `Base64.encode` gave.
    mutating func base64(_ encoded: [UInt8]) {
        text.append(contentsOf: encoded)
    }

    mutating func quoted(date: some CustomStringConvertible) {
        string(date.description)
    }

    mutating func list<Element>(
        _ elements: some Sequence<Element>, _ write: (inout CommandEncoder, Element) -> Void
    ) {
        words("(")
        separated(elements, write)
        words(")")
    }

    mutating func separated<Element>(
        _ elements: some Sequence<Element>, _ write: (inout CommandEncoder, Element) -> Void
    ) {
        var isFirst = true
        for element in elements {
            if !isFirst { words(" ") }
            isFirst = false
            write(&self, element)
        }
    }

    mutating func reject(_ reason: String) {
        invalid = invalid ?? reason
    }

    /// ATOM-CHAR of RFC 9051 §9.
    private static func isAtomByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F...0xFF, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "%"),
            UInt8(ascii: "*"), UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "]"):
            false
        default: true
        }
    }
}
