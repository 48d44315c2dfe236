import CGMime

/// Decoding of one body part fetched on its own (`BODY[1.2]`), by what its BODYSTRUCTURE says.
public enum MIMEBody {
    /// Undoes the transfer encoding (RFC 2045 §6): `base64`, `quoted-printable`, `x-uuencode`; others are the identity.
    /// Malformed input gives what can be read.
    public static func data(_ bytes: [UInt8], transferEncoding: String) -> [UInt8] {
        GMime.initialize()
        let encoding = g_mime_content_encoding_from_string(transferEncoding)
        let encoded = [
            GMIME_CONTENT_ENCODING_BASE64, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE, GMIME_CONTENT_ENCODING_UUENCODE,
        ]
        guard encoded.contains(encoding), !bytes.isEmpty else { return bytes }
        var state = GMimeEncoding()
        g_mime_encoding_init_decode(&state, encoding)
        let room = g_mime_encoding_outlen(&state, bytes.count)
        return [UInt8](unsafeUninitializedCapacity: room) { output, count in
            bytes.withUnsafeBytes { input in
                count = g_mime_encoding_flush(
                    &state, input.baseAddress?.assumingMemoryBound(to: CChar.self), input.count,
                    UnsafeMutableRawPointer(output.baseAddress)?.assumingMemoryBound(to: CChar.self))
            }
        }
    }

    /// The text of a body part: transfer encoding undone, charset decoded, line ends as LF, no NUL.
    ///
    /// A charset that is missing, unknown or contradicted by the bytes is read as UTF-8 where that is valid, else as
    /// Windows-1252; undecodable bytes become U+FFFD.
    /// - Parameter parameters: of the `Content-Type`: `charset`, and `format=flowed`, `delsp` (RFC 3676).
    public static func text(_ bytes: [UInt8], transferEncoding: String, parameters: MIMEParameters) -> String {
        text(
            decoded: data(bytes, transferEncoding: transferEncoding), charset: parameters["charset"],
            isFlowed: parameters["format"]?.lowercased() == "flowed",
            deletesSpaces: parameters["delsp"]?.lowercased() == "yes")
    }

    static func text(decoded: [UInt8], charset: String?, isFlowed: Bool, deletesSpaces: Bool) -> String {
        let text = withLineFeeds(Charset.decode(decoded, declared: charset))
        return isFlowed ? FlowedText.unwrap(text, deletesSpaces: deletesSpaces) : text
    }

    /// CRLF and CR become LF; NUL and a byte order mark at the start go.
    private static func withLineFeeds(_ text: String) -> String {
        var text = text
        let changed: String? = text.withUTF8 { whole in
            let hasMark = whole.starts(with: [0xef, 0xbb, 0xbf])
            let bytes = UnsafeBufferPointer(rebasing: whole[(hasMark ? 3 : 0)...])
            guard bytes.count != whole.count || bytes.contains(where: { $0 == 0x0d || $0 == 0 }) else { return nil }
            return String(unsafeUninitializedCapacity: bytes.count) { output in
                var count = 0
                var afterCR = false
                for byte in bytes where byte != 0 {
                    if !(byte == 0x0a && afterCR) {
                        output[count] = byte == 0x0d ? 0x0a : byte
                        count += 1
                    }
                    afterCR = byte == 0x0d
                }
                return count
            }
        }
        return changed ?? text
    }
}
