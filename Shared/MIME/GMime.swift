import CGMime

/// The way into GMime: initialised once, text in and out as Swift values. C objects stay inside the function that
/// made them.
enum GMime {
    typealias Stream = UnsafeMutablePointer<GMimeStream>

    // A static constant is initialised exactly once, whichever threads race for it; g_mime_init itself is not safe.
    private static let isInitialized: Bool = {
        g_mime_init()
        return true
    }()

    static func initialize() { _ = isInitialized }

    /// Lenient options whose raw 8-bit headers are UTF-8 or else Windows-1252, whatever the process's locale is.
    static func withParserOptions<Value>(_ body: (OpaquePointer?) -> Value) -> Value {
        initialize()
        let options = g_mime_parser_options_new()
        defer { g_mime_parser_options_free(options) }
        "utf-8".withCString { utf8 in
            "windows-1252".withCString { windows1252 in
                var charsets: [UnsafePointer<CChar>?] = [utf8, windows1252, nil]
                g_mime_parser_options_set_fallback_charsets(options, &charsets)  // copies them
            }
        }
        return body(options)
    }

    /// Takes over and frees a string that GMime allocated.
    static func take(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text else { return nil }
        defer { g_free(text) }
        return String(cString: text)
    }

    static func copy(_ text: UnsafePointer<CChar>?) -> String? { text.map { String(cString: $0) } }

    /// Whether a GObject is of a type; the macros that ask this in C are not imported.
    static func isInstance(_ object: UnsafeMutableRawPointer, of type: GType) -> Bool {
        g_type_check_instance_is_a(object.assumingMemoryBound(to: GTypeInstance.self), type) != 0
    }

    /// All bytes of a memory stream.
    static func bytes(of stream: Stream) -> [UInt8] {
        let memory = UnsafeMutableRawPointer(stream).assumingMemoryBound(to: GMimeStreamMem.self)
        guard let array = g_mime_stream_mem_get_byte_array(memory), let data = array.pointee.data else { return [] }
        return Array(UnsafeBufferPointer(start: data, count: Int(array.pointee.len)))
    }
}

extension [UInt8] {
    /// Calls `body` with these bytes as a C string; NUL, which would cut it short, becomes a space.
    func withCStringReplacingNUL<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value {
        var text = map { CChar(bitPattern: $0 == 0 ? 0x20 : $0) }
        text.append(0)
        return text.withUnsafeBufferPointer { buffer in
            // The buffer is never empty: it ends with the NUL just appended.
            buffer.baseAddress.map(body) ?? "".withCString(body)
        }
    }
}
