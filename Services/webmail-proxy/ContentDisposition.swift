/// The `Content-Disposition` of a download (RFC 6266).
enum ContentDisposition {
    static func attachment(filename: String) -> String { value("attachment", filename) }
    static func inline(filename: String) -> String { value("inline", filename) }

    /// Whether a browser may show the type in place: pictures that run nothing.
    static func isSafeInline(_ mediaType: String) -> Bool {
        ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"].contains(mediaType)
    }

    /// In ASCII for old clients, and in UTF-8 where that says more (RFC 8187).
    private static func value(_ type: String, _ filename: String) -> String {
        let clean = String(filename.map { $0 == "/" || $0 == "\\" ? "_" : $0 }.filter { !$0.isNewline })
        let ascii = String(
            clean.unicodeScalars.map { scalar in
                scalar.isASCII && scalar.value >= 0x20 && scalar.value != 0x7f && scalar != "\"" && scalar != "%"
                    ? Character(scalar) : "_"
            })
        return ascii == clean
            ? "\(type); filename=\"\(ascii)\""
            : "\(type); filename=\"\(ascii)\"; filename*=UTF-8''\(FolderPath.encode(clean))"
    }
}
