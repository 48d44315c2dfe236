import CGMime

extension OutgoingMessage {
    /// A new message id, unique by 128 random bits: `hex@domain` (RFC 5322 §3.6.4).
    public static func makeMessageID(domain: String) -> String {
        var random = SystemRandomNumberGenerator()
        let digits = (0..<2).map { _ in
            let half = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - half.count) + half
        }
        return digits.joined() + "@" + domain
    }

    /// Whether an address forces UTF-8 into the headers, so that the server must offer SMTPUTF8 (RFC 6532).
    public var hasUTF8Headers: Bool {
        ([from] + replyTo + to + cc).contains { address in
            address.address.prefix { $0 != "@" }.utf8.contains { $0 >= 0x80 }
        }
    }

    /// The message with CRLF line ends, ready for SMTP and for IMAP APPEND.
    /// - Parameter showingBcc: For a draft: with its blind recipients.
    /// - Throws: `MIMEError.invalidHeader` or `.invalidAddress` for a value with CR, LF, NUL or another control character.
    public func encoded(showingBcc: Bool = false) throws(MIMEError) -> [UInt8] {
        try validate()
        GMime.initialize()
        guard let message = g_mime_message_new(1) else { return [] }
        defer { g_object_unref(message) }
        writeHeaders(to: message, showingBcc: showingBcc)
        let body = makeBody()
        g_mime_message_set_mime_part(message, body)
        g_object_unref(body)
        guard let stream = g_mime_stream_mem_new() else { return [] }
        defer { g_object_unref(stream) }
        let object = UnsafeMutableRawPointer(message).assumingMemoryBound(to: GMimeObject.self)
        g_mime_object_write_to_stream(object, nil, stream)
        return Self.withCRLF(GMime.bytes(of: stream))
    }

    /// The Bcc header alone, for the sender's own copy; ends with CRLF, empty without blind recipients.
    /// - Throws: As `encoded`.
    public func bccHeader() throws(MIMEError) -> [UInt8] {
        guard !bcc.isEmpty else { return [] }
        var bare = OutgoingMessage(from: from, date: date, messageID: messageID)
        bare.bcc = bcc
        let lines = try bare.encoded(showingBcc: true).split(separator: 0x0a, omittingEmptySubsequences: false)
        var header: [UInt8] = []
        for line in lines.prefix(while: { $0 != [0x0d] }) {
            let isContinued = line.first == 0x20 || line.first == 0x09
            if isContinued ? header.isEmpty : !line.starts(with: Array("Bcc:".utf8)) {
                if header.isEmpty { continue } else { break }
            }
            header += line + [0x0a]
        }
        return header
    }

    private func writeHeaders(to message: UnsafeMutablePointer<GMimeMessage>, showingBcc: Bool) {
        let object = UnsafeMutableRawPointer(message).assumingMemoryBound(to: GMimeObject.self)
        if let time = g_date_time_new_from_unix_utc(gint64(date / 1000)) {
            g_mime_message_set_date(message, time)
            g_date_time_unref(time)
        }
        func add(_ addresses: [MIMEAddress], _ type: GMimeAddressType) {
            for address in addresses {
                g_mime_message_add_mailbox(message, type, address.name.isEmpty ? nil : address.name, address.address)
            }
        }
        add([from], GMIME_ADDRESS_TYPE_FROM)
        add(replyTo, GMIME_ADDRESS_TYPE_REPLY_TO)
        add(to, GMIME_ADDRESS_TYPE_TO)
        add(cc, GMIME_ADDRESS_TYPE_CC)
        if showingBcc { add(bcc, GMIME_ADDRESS_TYPE_BCC) }
        g_mime_message_set_subject(message, subject, "utf-8")
        g_mime_message_set_message_id(message, Self.bare(messageID))
        if let inReplyTo {
            g_mime_object_set_header(object, "In-Reply-To", "<\(Self.bare(inReplyTo))>", "utf-8")
        }
        if !references.isEmpty {
            let ids = references.map { "<\(Self.bare($0))>" }.joined(separator: " ")
            g_mime_object_set_header(object, "References", ids, "utf-8")
        }
        for header in headers { g_mime_object_append_header(object, header.name, header.value, "utf-8") }
    }

    /// `mixed(related(alternative(plain, html), inline images), attachments)`, leaving out every level with one child.
    private func makeBody() -> UnsafeMutablePointer<GMimeObject> {
        var texts: [UnsafeMutablePointer<GMimeObject>] = []
        if let plain { texts.append(Self.makeText(plain, subtype: "plain")) }
        if let html { texts.append(Self.makeText(html, subtype: "html")) }
        if texts.isEmpty { texts.append(Self.makeText("", subtype: "plain")) }
        let inline = html == nil ? [] : attachments.filter { $0.contentID != nil }
        let apart = html == nil ? attachments : attachments.filter { $0.contentID == nil }
        let alternative = Self.group(texts, subtype: "alternative")
        let related = Self.group([alternative] + inline.map { Self.makePart($0, isInline: true) }, subtype: "related")
        return Self.group([related] + apart.map { Self.makePart($0, isInline: false) }, subtype: "mixed")
    }

    private static func group(
        _ parts: [UnsafeMutablePointer<GMimeObject>], subtype: String
    ) -> UnsafeMutablePointer<GMimeObject> {
        guard parts.count != 1, let multipart = g_mime_multipart_new_with_subtype(subtype) else { return parts[0] }
        for part in parts {
            g_mime_multipart_add(multipart, part)
            g_object_unref(part)
        }
        return UnsafeMutableRawPointer(multipart).assumingMemoryBound(to: GMimeObject.self)
    }

    private static func makeText(_ text: String, subtype: String) -> UnsafeMutablePointer<GMimeObject> {
        let part: UnsafeMutablePointer<GMimePart> = g_mime_part_new_with_type("text", subtype)
        let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
        g_mime_object_set_content_type_parameter(object, "charset", "utf-8")
        let lines = withLF(Array(text.utf8))
        let encoding = textEncoding(lines)
        // Inside base64 the line ends must be canonical already (RFC 2045 §6.8).
        let isBase64 = encoding == GMIME_CONTENT_ENCODING_BASE64
        setContent(of: part, isBase64 ? withCRLF(lines) : lines, encoding: encoding)
        return object
    }

    private static func makePart(_ attachment: Attachment, isInline: Bool) -> UnsafeMutablePointer<GMimeObject> {
        let (type, subtype) = mediaType(attachment.contentType)
        let part: UnsafeMutablePointer<GMimePart> = g_mime_part_new_with_type(type, subtype)
        let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
        g_mime_object_set_disposition(object, isInline ? "inline" : "attachment")
        g_mime_part_set_filename(part, attachment.filename)
        if let id = attachment.contentID { g_mime_part_set_content_id(part, bare(id)) }
        if type == "message" {
            // RFC 2046 §5.2.1 allows an enclosed message no other encodings.
            let isASCII = attachment.content.allSatisfy { $0 < 0x80 }
            let encoding = isASCII ? GMIME_CONTENT_ENCODING_7BIT : GMIME_CONTENT_ENCODING_8BIT
            setContent(of: part, withLF(attachment.content), encoding: encoding)
        } else {
            setContent(of: part, attachment.content, encoding: GMIME_CONTENT_ENCODING_BASE64)
        }
        return object
    }

    private static func setContent(
        of part: UnsafeMutablePointer<GMimePart>?, _ bytes: [UInt8], encoding: GMimeContentEncoding
    ) {
        let stream = bytes.withUnsafeBytes {
            g_mime_stream_mem_new_with_buffer($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count)
        }
        let wrapper = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT)
        g_mime_part_set_content(part, wrapper)
        g_mime_part_set_content_encoding(part, encoding)
        g_object_unref(wrapper)
        g_object_unref(stream)
    }
}
