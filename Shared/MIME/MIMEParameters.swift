/// The parameters of a `Content-Type` or `Content-Disposition`, decoded: RFC 2231 continuations and charsets, and the
/// RFC 2047 words that many clients write instead. Names are lower case.
public struct MIMEParameters: Sendable, Hashable {
    private var values: [String: String] = [:]

    /// - Parameter raw: Names and values as an IMAP BODYSTRUCTURE gives them (RFC 9051 §7.5.2).
    public init(raw: [(name: [UInt8], value: [UInt8])]) {
        var sections: [String: [Section]] = [:]
        for (rawName, value) in raw.prefix(200) {
            let (name, section) = Self.section(name: rawName.map(\.asciiLowercased), value: value)
            if let section {
                sections[name, default: []].append(section)
            } else if values[name] == nil {
                values[name] = MIMEHeader.decode(value)
            }
        }
        // RFC 2231 §4: the extended form is meant for those who understand it, so it wins over the plain one.
        for (name, parts) in sections { values[name] = Self.join(parts) }
    }

    public subscript(name: String) -> String? { values[name.lowercased()] }
}

extension MIMEParameters {
    /// One piece `name*N` or `name*N*` of a value (RFC 2231 §3, §4).
    private struct Section {
        var index: Int
        var isEncoded: Bool
        var value: [UInt8]
    }

    /// The name before the first `*`, and the piece; nil for a plain parameter.
    private static func section(name: [UInt8], value: [UInt8]) -> (String, Section?) {
        let pieces = name.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        let base = String(decoding: pieces[0], as: UTF8.self)
        guard pieces.count > 1 else { return (base, nil) }
        if pieces.count == 2, pieces[1].isEmpty { return (base, Section(index: 0, isEncoded: true, value: value)) }
        guard let index = Int(String(decoding: pieces[1], as: UTF8.self)), (0..<200).contains(index) else {
            return (base, nil)
        }
        return (base, Section(index: index, isEncoded: pieces.count > 2, value: value))
    }

    private static func join(_ sections: [Section]) -> String {
        var charset: String?
        var bytes: [UInt8] = []
        for (position, section) in sections.sorted(by: { $0.index < $1.index }).enumerated() {
            guard section.isEncoded else {
                bytes += section.value
                continue
            }
            var encoded = section.value[...]
            if position == 0 {
                // charset'language'text
                let quotes = encoded.indices.filter { encoded[$0] == UInt8(ascii: "'") }.prefix(2)
                if quotes.count == 2 {
                    charset = String(decoding: encoded[..<quotes[0]], as: UTF8.self)
                    encoded = encoded[(quotes[1] + 1)...]
                }
            }
            bytes += percentDecode(encoded)
        }
        return Charset.decode(bytes, declared: charset).withoutControls
    }

    private static func percentDecode(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            if text[index] == UInt8(ascii: "%"), index + 2 < text.endIndex,
                let high = text[index + 1].hexDigit, let low = text[index + 2].hexDigit
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        return bytes
    }
}

extension UInt8 {
    fileprivate var hexDigit: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }
}
