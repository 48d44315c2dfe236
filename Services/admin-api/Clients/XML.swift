import Crypto

enum XML {
    /// Text for an element or an attribute; what XML 1.0 cannot hold is left out.
    static func escaped(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0xfffe && $0.value != 0xffff })
        )
        .replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        .replacing("\"", with: "&quot;").replacing("'", with: "&apos;")
    }

    /// The text of the first element of that local name, in whatever namespace; nil for none. For small requests whose
    /// shape is known: no entities but the five of XML itself, so that none can be made of others.
    static func text(of name: String, in document: String) -> String? {
        let opening = try? Regex(
            "<(?:[A-Za-z_][\\w.-]*:)?\(name)(?:\\s[^<>]*)?>([^<]*)</(?:[A-Za-z_][\\w.-]*:)?\(name)\\s*>")
        guard let opening, let match = document.firstMatch(of: opening), let text = match.output[1].substring else {
            return nil
        }
        return text.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
            .replacing("&apos;", with: "'").replacing("&amp;", with: "&")
            .trimmingWhitespace
    }
}

extension StringProtocol {
    fileprivate var trimmingWhitespace: String {
        let head = drop { $0.isWhitespace }
        guard let last = head.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(head[...last])
    }
}

/// A UUID that is the same for the same text (RFC 9562 §5.8: version 8, made of a hash).
enum StableUUID {
    static func make(_ text: String) -> String {
        var bytes = Array(SHA256.hash(data: Array("xynap-mail \(text)".utf8)).prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x80
        bytes[8] = bytes[8] & 0x3f | 0x80
        let hex = bytes.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
        var parts: [Substring] = [], rest = hex[...]
        for length in [8, 4, 4, 4, 12] {
            parts.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return parts.joined(separator: "-")
    }
}
