enum HTMLText {
    /// Text for an element's content or a double-quoted attribute (HTML §13.3); control characters are left out.
    static func escape(_ text: some StringProtocol) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): output += Array("&amp;".utf8)
            case UInt8(ascii: "<"): output += Array("&lt;".utf8)
            case UInt8(ascii: ">"): output += Array("&gt;".utf8)
            case UInt8(ascii: "\""): output += Array("&quot;".utf8)
            case 0x09, 0x0a: output.append(byte)
            case 0..<0x20, 0x7f: break
            default: output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
