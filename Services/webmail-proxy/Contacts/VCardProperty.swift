import MIME
import MailModel

/// One line of a vCard: `group.NAME;PARAMETER=value:value` (RFC 6350 §3.3).
struct VCardProperty {
    /// In capitals, without its group.
    let name: String
    /// In capitals: names with their values, of 2.1 also values alone.
    private let parameters: [(name: String, value: String)]
    private let value: [UInt8]

    init?(_ line: [UInt8]) {
        guard let colon = Self.colon(of: line) else { return nil }
        let head = Self.split(line[..<colon], at: UInt8(ascii: ";"))
        let words = head.map { String(decoding: $0, as: UTF8.self).trimmingSpaces }
        guard let name = words.first?.split(separator: ".").last, Self.isName(name) else { return nil }
        self.name = name.uppercased()
        parameters = words.dropFirst().map { word in
            let halves = word.split(separator: "=", maxSplits: 1)
            guard halves.count == 2 else { return ("", word.uppercased()) }
            return (halves[0].uppercased(), halves[1].filter { $0 != "\"" }.uppercased())
        }
        value = Array(line[(colon + 1)...])
    }

    /// Whether the value is `VCARD`, as after `BEGIN` and `END`.
    var isVCard: Bool { line().uppercased() == "VCARD" }

    /// From 1, the most preferred; 100 for all that say nothing of it (RFC 6350 §5.3; `TYPE=PREF` of 3.0, `PREF` of 2.1).
    var preference: Int {
        for (name, value) in parameters {
            if name == "PREF" { return Int(value).map { min(max($0, 1), 100) } ?? 100 }
            if (name.isEmpty || name == "TYPE") && value.split(separator: ",").contains("PREF") { return 1 }
        }
        return 100
    }

    /// The value on one line, without white space around it.
    ///
    /// - Parameter scheme: Left out where the value begins with it.
    func line(without scheme: String = "") -> String {
        let line = ContactText.line(Self.unescaped(decoded), limit: Contact.Limit.text)
        return !scheme.isEmpty && line.lowercased().hasPrefix(scheme) ? String(line.dropFirst(scheme.count)) : line
    }

    /// The value with its line ends.
    func text() -> String { Self.unescaped(decoded) }

    /// The components of a structured value (RFC 6350 §3.3), each on one line.
    func components() -> [String] {
        Self.split(Array(decoded.utf8)[...], at: UInt8(ascii: ";"), escapes: true).map {
            ContactText.line(Self.unescaped(String(decoding: $0, as: UTF8.self)), limit: Contact.Limit.text)
        }
    }

    /// A name as one writes it, of its components: family, given and further names, prefixes, suffixes (RFC 6350 §6.2.2).
    var structured: String {
        let parts = components() + Array(repeating: "", count: 5)
        return ContactText.line(
            [parts[3], parts[1], parts[2], parts[0], parts[4]].joined(separator: " "), limit: Contact.Limit.text)
    }

    /// Whether a line's value is encoded so.
    static func isQuotedPrintable(_ line: [UInt8]) -> Bool { VCardProperty(line)?.isQuotedPrintable ?? false }

    private var isQuotedPrintable: Bool {
        parameters.contains { ($0.name.isEmpty || $0.name == "ENCODING") && $0.value == "QUOTED-PRINTABLE" }
    }

    /// UTF-8 unless the line names another charset or cannot be.
    private var decoded: String {
        let charset = parameters.first { $0.name == "CHARSET" }.map { Array($0.value.utf8) } ?? Array("UTF-8".utf8)
        if !isQuotedPrintable, charset == Array("UTF-8".utf8), let text = String(validating: value, as: UTF8.self) {
            return text
        }
        return MIMEBody.text(
            value, transferEncoding: isQuotedPrintable ? "quoted-printable" : "8bit",
            parameters: MIMEParameters(raw: [(name: Array("charset".utf8), value: charset)]))
    }

    /// The first colon outside of quotes.
    private static func colon(of line: [UInt8]) -> Int? {
        var isQuoted = false
        for (index, byte) in line.enumerated() {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: ":"), !isQuoted { return index }
        }
        return nil
    }

    /// - Parameter escapes: After a backslash a separator is none; else between quotes.
    private static func split(
        _ bytes: ArraySlice<UInt8>, at separator: UInt8, escapes: Bool = false
    ) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        var isQuoted = false
        var isEscaped = false
        for index in bytes.indices {
            let byte = bytes[index]
            if isEscaped {
                isEscaped = false
            } else if escapes, byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if !escapes, byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == separator, !isQuoted {
                pieces.append(bytes[start..<index])
                start = index + 1
            }
        }
        return pieces + [bytes[start...]]
    }

    private static func isName(_ name: Substring) -> Bool {
        !name.isEmpty && name.utf8.count <= 100
            && name.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || $0 == UInt8(ascii: "-")
            }
    }

    /// RFC 6350 §3.4
    private static func unescaped(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "\\")) else { return text }
        var output = ""
        var isEscaped = false
        for scalar in text.unicodeScalars {
            if isEscaped {
                output.unicodeScalars.append(scalar == "n" || scalar == "N" ? "\n" : scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
        return output
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        String(drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
