import CGMime
import Glibc

/// Decoding of text in any charset (RFC 2045 §4, RFC 2046 §4.1.2), as far as the bytes let it.
enum Charset {
    /// UTF-8 that says so, and names under which UTF-8 and Windows-1252 are sent without distinction.
    private static let eightBitNames: Set<String> = [
        "", "us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1",
        "windows-1252", "cp1252", "unknown-8bit", "x-unknown", "unknown", "default", "binary", "8bit", "7bit",
    ]
    private static let utf8Names: Set<String> = ["utf-8", "utf8", "utf_8", "unicode-1-1-utf-8"]
    /// Supersets that senders mean by the older name (WHATWG Encoding §4.2).
    private static let supersets = [
        "gb2312": "gb18030", "gbk": "gb18030", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932",
        "x-sjis": "cp932", "iso-8859-9": "windows-1254", "tis-620": "windows-874", "iso-8859-8-i": "iso-8859-8",
    ]

    static func decode(_ bytes: [UInt8], declared: String?) -> String {
        let name = (declared ?? "").lowercased().filter { !$0.isWhitespace && $0 != "\"" && $0 != "'" }
        if eightBitNames.contains(name) { return decodeUTF8OrWindows1252(bytes) }
        if utf8Names.contains(name) { return decodeUTF8(bytes) }
        return decodeByIconv(bytes, charset: supersets[name] ?? name) ?? decodeUTF8OrWindows1252(bytes)
    }

    private static func decodeUTF8OrWindows1252(_ bytes: [UInt8]) -> String {
        String(validating: bytes, as: UTF8.self) ?? decodeWindows1252(bytes)
    }

    /// Declared as UTF-8: repaired where a few bytes are wrong, read as Windows-1252 where hardly any are right.
    private static func decodeUTF8(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let repaired = String(decoding: bytes, as: UTF8.self)
        var wrong = 0
        var right = 0
        for scalar in repaired.unicodeScalars where scalar.value >= 0x80 {
            if scalar == "\u{FFFD}" { wrong += 1 } else { right += 1 }
        }
        return wrong > right ? decodeWindows1252(bytes) : repaired
    }

    private static func decodeWindows1252(_ bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes {
            let value = (0x80...0x9f).contains(byte) ? windows1252[Int(byte - 0x80)] : UInt32(byte)
            text.append(Unicode.Scalar(value) ?? "\u{FFFD}")
        }
        return String(text)
    }

    /// 0x80 to 0x9f (WHATWG Encoding, index windows-1252).
    private static let windows1252: [UInt32] = [
        0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d,
        0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d,
        0x17e, 0x178,
    ]

    /// nil for a charset that iconv does not know. Undecodable bytes become U+FFFD.
    private static func decodeByIconv(_ bytes: [UInt8], charset: String) -> String? {
        GMime.initialize()
        // iconv reads "//" and what follows as options.
        guard !charset.contains("/"), charset.utf8.count <= 40,
            let converter = g_mime_iconv_open("UTF-8", charset), Int(bitPattern: converter) != -1
        else { return nil }
        defer { g_mime_iconv_close(converter) }
        var input = bytes
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 2)
        var buffer = [CChar](repeating: 0, count: 16_384)
        input.withUnsafeMutableBytes { source in
            var from = source.baseAddress?.assumingMemoryBound(to: CChar.self)
            var left = source.count
            while left > 0 {
                let outcome = buffer.withUnsafeMutableBufferPointer {
                    target -> (converted: Int, error: Int32, count: Int) in
                    var to = target.baseAddress
                    var room = target.count
                    let converted = iconv(converter, &from, &left, &to, &room)
                    return (converted, errno, target.count - room)
                }
                output.append(contentsOf: buffer[..<outcome.count].lazy.map { UInt8(bitPattern: $0) })
                guard outcome.converted == -1, outcome.error != E2BIG else { continue }
                output.append(contentsOf: [0xef, 0xbf, 0xbd])
                from = from?.advanced(by: 1)
                left -= 1
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
