/// A URL as a browser would read it (WHATWG URL §4.4), in the few kinds that a mail may hold.
enum URLReference: Hashable {
    /// `http` or `https`, written anew.
    case web(String)
    case mail(String)
    /// `cid:` (RFC 2392), percent-decoded.
    case contentID(String)
    /// A base64 raster image.
    case dataImage(String)
    /// `#…`, without the `#`.
    case fragment(String)

    /// nil for every other scheme and for a relative reference, which has no base in a mail.
    init?(_ text: String) {
        if Self.isWrittenAnew(text) {
            self = .web(text)
            return
        }
        // What browsers do first: cut white space and controls at both ends, drop tab and line ends anywhere.
        var bytes = text.utf8.drop { $0 <= 0x20 }.filter { $0 != 0x09 && $0 != 0x0a && $0 != 0x0d && $0 != 0 }
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        if bytes.first == UInt8(ascii: "#") {
            self = .fragment(String(decoding: bytes.dropFirst(), as: UTF8.self))
            return
        }
        if bytes.count > 2, bytes.prefix(2).allSatisfy({ $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
            guard let url = Self.web(scheme: "https", rest: bytes[...]) else { return nil }
            self = .web(url)
            return
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let rest = bytes[(colon + 1)...]
        switch String(decoding: bytes[..<colon], as: UTF8.self).lowercased() {
        case "http", "https":
            let scheme = colon == 4 ? "http" : "https"
            guard let url = Self.web(scheme: scheme, rest: rest) else { return nil }
            self = .web(url)
        case "mailto": self = .mail("mailto:" + Self.encode(rest))
        case "cid": self = .contentID(Self.percentDecode(rest))
        case "data":
            guard let url = Self.dataImage(rest) else { return nil }
            self = .dataImage(url)
        default: return nil
        }
    }

    /// Whether nothing of a web address is to be changed.
    private static func isWrittenAnew(_ text: String) -> Bool {
        let scheme = ["https://", "http://"].first { text.hasPrefix($0) }
        guard let rest = scheme.map({ text.utf8.dropFirst($0.utf8.count) }), let first = rest.first,
            first != UInt8(ascii: "/"), first != UInt8(ascii: "?"), first != UInt8(ascii: "#")
        else { return false }
        return !rest.contains(where: isUnsafe)
    }

    private static func web(scheme: String, rest: ArraySlice<UInt8>) -> String? {
        var bytes = rest
        let end = bytes.firstIndex { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") } ?? bytes.endIndex
        for index in bytes.startIndex..<end where bytes[index] == UInt8(ascii: "\\") {
            bytes[index] = UInt8(ascii: "/")
        }
        let address = bytes.drop { $0 == UInt8(ascii: "/") }
        guard let first = address.first, first != UInt8(ascii: "?"), first != UInt8(ascii: "#") else { return nil }
        return scheme + "://" + encode(address)
    }

    /// SVG is left out: it can hold scripts.
    private static func dataImage(_ rest: ArraySlice<UInt8>) -> String? {
        guard let comma = rest.firstIndex(of: UInt8(ascii: ",")) else { return nil }
        let head = String(decoding: rest[..<comma], as: UTF8.self).lowercased()
        let types = ["png", "jpeg", "jpg", "gif", "webp", "bmp"].map { "image/\($0);base64" }
        let data = rest[(comma + 1)...].filter { $0 != 0x20 }
        guard types.contains(head), data.allSatisfy(isBase64) else { return nil }
        return "data:" + head + "," + String(decoding: data, as: UTF8.self)
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "=")
    }

    /// Percent-encodes what could end a URL in an attribute or in CSS.
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.underestimatedCount)
        for byte in bytes {
            if isUnsafe(byte) {
                output.append(UInt8(ascii: "%"))
                output.append(hexDigit(byte >> 4))
                output.append(hexDigit(byte & 15))
            } else {
                output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isUnsafe(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7f, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "<"),
            UInt8(ascii: ">"), UInt8(ascii: "\\"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
            UInt8(ascii: "|"), UInt8(ascii: "}"):
            true
        default: false
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }

    private static func percentDecode(_ bytes: ArraySlice<UInt8>) -> String {
        var output: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let digits = bytes[(index + 1)...].prefix(2)
            if bytes[index] == UInt8(ascii: "%"), digits.count == 2,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                output.append(value)
                index += 3
            } else {
                output.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
