/// Modified UTF-7, the spelling of mailbox names outside ASCII (RFC 3501 §5.1.3): `&` starts base64 of UTF-16BE,
/// `-` ends it, `,` takes the place of `/`, and `&-` is an ampersand.
enum ModifiedUTF7 {
    static func encode(_ text: String) -> String {
        if text.utf8.allSatisfy({ isDirect($0) && $0 != UInt8(ascii: "&") }) { return text }
        var out: [UInt8] = []
        var pending: [UInt8] = []
        func flush() {
            guard !pending.isEmpty else { return }
            out.append(UInt8(ascii: "&"))
            out += Base64.encode(pending).prefix { $0 != UInt8(ascii: "=") }
                .map { $0 == UInt8(ascii: "/") ? UInt8(ascii: ",") : $0 }
            out.append(UInt8(ascii: "-"))
            pending.removeAll()
        }
        for unit in text.utf16 {
            if unit < 0x80, isDirect(UInt8(unit)) {
                flush()
                out.append(UInt8(unit))
                if unit == UInt8(ascii: "&") { out.append(UInt8(ascii: "-")) }
            } else {
                pending += [UInt8(unit >> 8), UInt8(unit & 0xFF)]
            }
        }
        flush()
        return String(decoding: out, as: UTF8.self)
    }

    /// Nil when the text is no modified UTF-7 (then servers that speak plain UTF-8 are taken at their word).
    static func decode(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        var units: [UInt16] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "&") else {
                guard byte < 0x80 else { return nil }
                units.append(UInt16(byte))
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "-")) else { return nil }
            let shifted = rest[..<end].map { $0 == UInt8(ascii: ",") ? UInt8(ascii: "/") : $0 }
            rest = rest[rest.index(after: end)...]
            if shifted.isEmpty {
                units.append(UInt16(UInt8(ascii: "&")))
            } else {
                guard let bytes = Base64.decode(shifted), !bytes.isEmpty, bytes.count % 2 == 0 else { return nil }
                for index in stride(from: 0, to: bytes.count, by: 2) {
                    units.append(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]))
                }
            }
        }
        return String(validating: units, as: UTF16.self)
    }

    private static func isDirect(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte)
    }
}
