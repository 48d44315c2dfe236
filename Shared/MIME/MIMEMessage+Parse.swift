import CGMime
import Glibc

extension MIMEMessage {
    /// Bounds on what is read of one message.
    public struct Limits: Sendable {
        /// Of the message, in bytes.
        public var size = 100 << 20
        /// Of parts in all; further parts are left out.
        public var parts = 1000
        /// Of nesting; what is deeper is left out.
        public var depth = 32

        public init() {}
    }

    /// Parses a whole message (RFC 5322, RFC 2045–2049). Malformed input never fails: what can be read is.
    /// - Throws: `MIMEError.noMessage` for empty input, `.tooLarge`.
    public static func parse(_ bytes: [UInt8], limits: Limits = Limits()) throws(MIMEError) -> MIMEMessage {
        guard !bytes.isEmpty else { throw .noMessage }
        guard bytes.count <= limits.size else { throw .tooLarge(limit: limits.size) }
        GMime.initialize()
        let stream = bytes.withUnsafeBytes {
            g_mime_stream_mem_new_with_buffer($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
        defer { g_object_unref(stream) }
        let parser = g_mime_parser_new_with_stream(stream)
        defer { g_object_unref(parser) }
        let message = GMime.withParserOptions { g_mime_parser_construct_message(parser, $0) }
        guard let message else { return MIMEMessage(fields: [], body: .empty(path: "1")) }
        defer { g_object_unref(message) }
        var reader = PartReader(partsLeft: limits.parts)
        return reader.read(message, path: "", depthLeft: limits.depth)
    }

    fileprivate init(fields: [(name: String, value: [UInt8])], body: MIMEPart) {
        func raw(_ name: String) -> [UInt8] {
            fields.first { MIMEHeader(name: $0.name, value: "").isNamed(name) }?.value ?? []
        }
        func addresses(_ name: String) -> [MIMEAddress] {
            // A second To or Cc is forbidden and yet sent; the reader is shown all of them.
            fields.filter { MIMEHeader(name: $0.name, value: "").isNamed(name) }
                .flatMap { MIMEHeader.addresses($0.value) }
        }
        self.headers = fields.map { MIMEHeader(name: $0.name, value: MIMEHeader.decode($0.value)) }
        self.from = MIMEHeader.addresses(raw("From"))
        self.sender = MIMEHeader.addresses(raw("Sender"))
        self.replyTo = MIMEHeader.addresses(raw("Reply-To"))
        self.to = addresses("To")
        self.cc = addresses("Cc")
        self.bcc = addresses("Bcc")
        self.subject = MIMEHeader.decode(raw("Subject"))
        self.date = MIMEHeader.date(raw("Date"))
        self.messageID = MIMEHeader.messageIDs(raw("Message-ID")).first
        self.inReplyTo = MIMEHeader.messageIDs(raw("In-Reply-To"))
        self.references = MIMEHeader.messageIDs(raw("References"))
        self.body = body
    }
}

extension MIMEPart {
    fileprivate static func empty(path: String) -> MIMEPart {
        MIMEPart(
            path: path, mediaType: "text/plain", disposition: nil, filename: nil, contentID: nil, size: 0,
            content: .text(""))
    }
}

/// Copies GMime's tree into values, while it lives.
private struct PartReader {
    var partsLeft: Int

    mutating func read(
        _ message: UnsafeMutablePointer<GMimeMessage>, path: String, depthLeft: Int
    ) -> MIMEMessage {
        let object = UnsafeMutableRawPointer(message).assumingMemoryBound(to: GMimeObject.self)
        var fields: [(name: String, value: [UInt8])] = []
        if let list = g_mime_object_get_header_list(object) {
            for index in 0..<min(g_mime_header_list_get_count(list), 1000) {
                guard let header = g_mime_header_list_get_header_at(list, index),
                    let name = GMime.copy(g_mime_header_get_name(header))
                else { continue }
                let value = g_mime_header_get_raw_value(header).map {
                    UnsafeRawBufferPointer(start: $0, count: strlen($0)).map(\.self)
                }
                fields.append((name, value ?? []))
            }
        }
        let single = path.isEmpty ? "1" : path + ".1"
        guard let body = g_mime_message_get_mime_part(message), depthLeft > 0 else {
            return MIMEMessage(fields: fields, body: .empty(path: single))
        }
        let isMultipart = GMime.isInstance(body, of: g_mime_multipart_get_type())
        let part = read(body, path: isMultipart ? path : single, depthLeft: depthLeft - 1)
        return MIMEMessage(fields: fields, body: part)
    }

    private mutating func read(
        _ object: UnsafeMutablePointer<GMimeObject>, path: String, depthLeft: Int
    ) -> MIMEPart {
        partsLeft -= 1
        let mediaType =
            g_mime_object_get_content_type(object)
            .flatMap { GMime.take(g_mime_content_type_get_mime_type($0)) }?.lowercased() ?? "text/plain"
        let disposition = GMime.copy(g_mime_object_get_disposition(object))?.lowercased()
        let filename =
            GMime.copy(g_mime_object_get_content_disposition_parameter(object, "filename"))
            ?? GMime.copy(g_mime_object_get_content_type_parameter(object, "name"))
        let isAttachment = disposition == "attachment"
        let (content, size) = content(
            object, mediaType: mediaType, isAttachment: isAttachment, path: path, depthLeft: depthLeft)
        return MIMEPart(
            path: path, mediaType: mediaType,
            disposition: disposition.map { $0 == "inline" ? .inline : .attachment },
            filename: filename?.withoutControls,
            contentID: GMime.copy(g_mime_object_get_content_id(object))?.withoutControls,
            size: size, content: content)
    }

    private mutating func content(
        _ object: UnsafeMutablePointer<GMimeObject>, mediaType: String, isAttachment: Bool, path: String,
        depthLeft: Int
    ) -> (MIMEPart.Content, size: Int) {
        let raw = UnsafeMutableRawPointer(object)
        if GMime.isInstance(raw, of: g_mime_multipart_get_type()) {
            let multipart = raw.assumingMemoryBound(to: GMimeMultipart.self)
            return (.multipart(parts(of: multipart, path: path, depthLeft: depthLeft)), 0)
        }
        if GMime.isInstance(raw, of: g_mime_message_part_get_type()), depthLeft > 0,
            let message = g_mime_message_part_get_message(raw.assumingMemoryBound(to: GMimeMessagePart.self))
        {
            return (.message(read(message, path: path, depthLeft: depthLeft - 1)), 0)
        }
        guard GMime.isInstance(raw, of: g_mime_part_get_type()) else { return (.data([]), 0) }
        let bytes = data(of: raw.assumingMemoryBound(to: GMimePart.self))
        guard mediaType.hasPrefix("text/"), !isAttachment else { return (.data(bytes), bytes.count) }
        func parameter(_ name: String) -> String? {
            GMime.copy(g_mime_object_get_content_type_parameter(object, name))
        }
        let text = MIMEBody.text(
            decoded: bytes, charset: parameter("charset"), isFlowed: parameter("format")?.lowercased() == "flowed",
            deletesSpaces: parameter("delsp")?.lowercased() == "yes")
        return (.text(text), bytes.count)
    }

    private mutating func parts(
        of multipart: UnsafeMutablePointer<GMimeMultipart>, path: String, depthLeft: Int
    ) -> [MIMEPart] {
        guard depthLeft > 0 else { return [] }
        var parts: [MIMEPart] = []
        for index in 0..<g_mime_multipart_get_count(multipart) where partsLeft > 0 {
            guard let child = g_mime_multipart_get_part(multipart, index) else { continue }
            let number = path.isEmpty ? "\(index + 1)" : "\(path).\(index + 1)"
            parts.append(read(child, path: number, depthLeft: depthLeft - 1))
        }
        return parts
    }

    private func data(of part: UnsafeMutablePointer<GMimePart>) -> [UInt8] {
        guard let content = g_mime_part_get_content(part), let stream = g_mime_stream_mem_new() else { return [] }
        defer { g_object_unref(stream) }
        g_mime_data_wrapper_write_to_stream(content, stream)
        return GMime.bytes(of: stream)
    }
}
