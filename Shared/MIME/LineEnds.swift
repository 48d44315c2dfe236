import CGMime

extension OutgoingMessage {
    /// CRLF, bare CR and bare LF all become CRLF (RFC 5322 §2.3 knows no other line end).
    static func withCRLF(_ bytes: [UInt8]) -> [UInt8] { normalized(bytes, to: [0x0d, 0x0a]) }

    /// The same, as LF, and without NUL: the form in which GMime takes text.
    static func withLF(_ bytes: [UInt8]) -> [UInt8] { normalized(bytes.filter { $0 != 0 }, to: [0x0a]) }

    private static func normalized(_ bytes: [UInt8], to lineEnd: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 32)
        var afterCR = false
        for byte in bytes {
            if byte == 0x0d || (byte == 0x0a && !afterCR) {
                output.append(contentsOf: lineEnd)
            } else if byte != 0x0a {
                output.append(byte)
            }
            afterCR = byte == 0x0d
        }
        return output
    }

    /// The lightest encoding under which the text survives any server (RFC 2045 §6): lines of at most 998 bytes.
    static func textEncoding(_ lines: [UInt8]) -> GMimeContentEncoding {
        let nonASCII = lines.count { $0 >= 0x80 }
        if nonASCII * 3 > lines.count { return GMIME_CONTENT_ENCODING_BASE64 }
        let isShort = lines.split(separator: 0x0a).allSatisfy { $0.count <= 990 }
        return nonASCII == 0 && isShort ? GMIME_CONTENT_ENCODING_7BIT : GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE
    }
}
