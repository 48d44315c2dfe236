import MailModel

extension Contact {
    /// The entry as a vCard 4.0 (RFC 6350), with its line end.
    var vCard: String {
        var card = "BEGIN:VCARD\r\nVERSION:4.0\r\n"
        // A formatted name is required (§6.2.1).
        card += Self.line("FN", name.isEmpty ? emails.first ?? "" : name)
        for (index, email) in emails.enumerated() {
            card += Self.line(emails.count > 1 ? "EMAIL;PREF=\(index + 1)" : "EMAIL", email)
        }
        for phone in phones { card += Self.line("TEL", phone) }
        if !organisation.isEmpty { card += Self.line("ORG", organisation) }
        if !note.isEmpty { card += Self.line("NOTE", note) }
        card += "REV:\(updatedAt.basicTimestamp)\r\n"
        return card + "END:VCARD\r\n"
    }

    /// A property with its value escaped (§3.4), folded at 75 bytes between characters (§3.2).
    private static func line(_ name: String, _ value: String) -> String {
        var folded = ""
        var length = 0
        for scalar in (name + ":" + escaped(value)).unicodeScalars {
            let width = UTF8.width(scalar)
            if length + width > 75 {
                folded += "\r\n "
                length = 1
            }
            folded.unicodeScalars.append(scalar)
            length += width
        }
        return folded + "\r\n"
    }

    private static func escaped(_ value: String) -> String {
        var output = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\", ",", ";":
                output += "\\"
                output.unicodeScalars.append(scalar)
            case "\n": output += "\\n"
            case "\t": output += "\t"
            // No other control may stand in a value, nor end a line.
            default: if !ContactText.isControl(scalar) { output.unicodeScalars.append(scalar) }
            }
        }
        return output
    }
}

extension String {
    /// `2026-01-02T03:04:05.678Z` as the timestamp `20260102T030405Z` (§4.3.5).
    fileprivate var basicTimestamp: String {
        let whole = prefix { $0 != "." && $0 != "Z" }
        return whole.filter { $0 != "-" && $0 != ":" } + "Z"
    }
}
