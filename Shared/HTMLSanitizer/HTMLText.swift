enum HTMLText {
    /// Text for an element's content or a double-quoted attribute (HTML §13.3); control characters are left out.
    static func escape(_ text: some StringProtocol) -> String {
        guard !text.utf8.allSatisfy(isPlain) else { return String(text) }
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): output += "&amp;".utf8
            case UInt8(ascii: "<"): output += "&lt;".utf8
            case UInt8(ascii: ">"): output += "&gt;".utf8
            case UInt8(ascii: "\""): output += "&quot;".utf8
            default: if byte >= 0x20 && byte != 0x7f || byte == 0x09 || byte == 0x0a { output.append(byte) }
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), 0x7f: false
        default: byte >= 0x20 || byte == 0x09 || byte == 0x0a
        }
    }
}
