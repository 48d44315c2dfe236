/// The path of a folder as it stands in a URL: percent-encoded UTF-8, `Archive%2F2024` (RFC 3986 §2.1).
enum FolderPath {
    /// The path for use as one segment of a URL: everything but unreserved characters (RFC 3986 §2.3) is escaped.
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
}
