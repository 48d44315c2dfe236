import IMAP
import MailModel

/// The path of a folder: as it stands in a URL, and as people give it.
enum FolderPath {
    /// The path for use as one segment of a URL, `Archive%2F2024`: percent-encoded UTF-8 (RFC 3986 §2.1) of everything
    /// but unreserved characters (§2.3).
    static func encode(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in path.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A path that a new folder may have, its components divided by the server's delimiter.
    ///
    /// - Throws: `Failure` of kind `invalid` naming the field.
    static func checked(_ path: String, delimiter: Character?, field: String) throws(Failure) -> MailboxName {
        var components = delimiter.map { path.split(separator: $0, omittingEmptySubsequences: false) } ?? [path[...]]
        for component in components { try check(component, field: field) }
        guard path.utf8.count <= 1000 else { throw .invalid(field, code: "too_long", "must be at most 1000 bytes") }
        // INBOX in any case is one folder (RFC 9051 §5.1), and what lies under it lies under that one.
        if components[0].lowercased() == "inbox" { components[0] = "INBOX" }
        return MailboxName(components.joined(separator: delimiter.map(String.init) ?? ""))
    }

    /// One component of a path, without the delimiter.
    static func check(_ component: Substring, field: String) throws(Failure) {
        guard !component.isEmpty else {
            throw .invalid(
                field, code: "invalid_folder_name", "must have no empty name in it, and no delimiter at either end")
        }
        guard MailboxName(String(component)).wire.utf8.count <= 200 else {
            throw .invalid(field, code: "too_long", "must have names of at most 200 bytes")
        }
        guard component != ".", component != "..", component.first != " ", component.last != " ",
            component.unicodeScalars.allSatisfy({ isSayable($0) })
        else {
            throw .invalid(
                field, code: "invalid_folder_name",
                "must be a name without control characters, * and %, and without a space at either end")
        }
    }

    /// `*` and `%` are wildcards to LIST; controls, format and line characters only deceive (RFC 5198 §2).
    private static func isSayable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .unassigned, .surrogate: false
        // Joiners and direction marks are part of words; the overrides beside them turn a name round.
        case .format: (0x200c...0x200f).contains(scalar.value)
        default: scalar != "*" && scalar != "%"
        }
    }

    /// Whether a folder is another, or lies below it.
    static func isWithin(_ name: MailboxName, _ ancestor: MailboxName, delimiter: Character?) -> Bool {
        name == ancestor || delimiter.map { name.wire.hasPrefix(ancestor.wire + String($0)) } ?? false
    }

    /// Undoes `encode`; nil for a `%` without two hex digits and for bytes that are no UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, digits.utf8.allSatisfy({ $0 != 0x2b && $0 != 0x2d }),
                let value = UInt8(digits, radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
