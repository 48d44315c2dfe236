import CGMime

/// One header field of a message, unfolded and decoded.
public struct MIMEHeader: Sendable, Hashable {
    /// As it was written; compare with `isNamed`.
    public var name: String
    /// Unfolded; RFC 2047 words decoded; raw 8-bit text read as UTF-8 or else Windows-1252. No CR, LF or NUL.
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// Whether the field has this name; ASCII case is ignored (RFC 5322 §1.2.2).
    public func isNamed(_ other: String) -> Bool {
        name.utf8.count == other.utf8.count
            && zip(name.utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// Decodes the raw value of an unstructured header, such as the subject of an IMAP ENVELOPE (RFC 2047 §6).
    public static func decode(_ raw: [UInt8]) -> String {
        let value = unfold(raw)
        let isPlain =
            value.allSatisfy { $0 < 0x80 }
            && !value.indices.dropLast().contains {
                value[$0] == UInt8(ascii: "=") && value[$0 + 1] == UInt8(ascii: "?")
            }
        guard !isPlain else { return String(decoding: value, as: UTF8.self) }
        let decoded = GMime.withParserOptions { options in
            value.withCStringReplacingNUL { GMime.take(g_mime_utils_header_decode_text(options, $0)) }
        }
        return (decoded ?? String(decoding: value, as: UTF8.self)).withoutControls
    }

    /// Splits a header block (`BODY[HEADER]`, or a whole message: reading stops at the first empty line) into fields,
    /// at most `limit` of them. Lines that are no field are skipped.
    public static func parseBlock(_ block: [UInt8], limit: Int = 1000) -> [MIMEHeader] {
        rawFields(block, limit: limit).map { MIMEHeader(name: $0.name, value: decode($0.value)) }
    }

    /// The mailboxes of a raw address header; groups are flattened (RFC 5322 §3.4). At most 10,000.
    public static func addresses(_ raw: [UInt8]) -> [MIMEAddress] {
        let value = withoutDeepGroups(unfold(raw))
        guard !value.isEmpty else { return [] }
        return GMime.withParserOptions { options in
            value.withCStringReplacingNUL { text in
                guard let list = internet_address_list_parse(options, text) else { return [] }
                defer { g_object_unref(list) }
                var addresses: [MIMEAddress] = []
                appendMailboxes(of: list, to: &addresses, depth: 0)
                return addresses
            }
        }
    }

    /// The message ids of a raw `Message-ID`, `In-Reply-To` or `References` value, in order, without angle brackets.
    public static func messageIDs(_ raw: [UInt8]) -> [String] {
        let value = unfold(raw)
        var ids: [String] = []
        var start: Int?
        for (index, byte) in value.enumerated() {
            if byte == UInt8(ascii: "<") {
                start = index + 1
            } else if byte == UInt8(ascii: ">"), let from = start {
                let id = value[from..<index].filter { $0 > 0x20 }
                if !id.isEmpty { ids.append(String(decoding: id, as: UTF8.self)) }
                start = nil
            }
        }
        guard ids.isEmpty else { return ids }
        // Some senders leave the brackets out; a word with an @ in it is then the id.
        return value.split(whereSeparator: { $0 <= 0x20 || $0 == UInt8(ascii: ",") })
            .filter { $0.contains(UInt8(ascii: "@")) }
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

extension MIMEHeader {
    /// The longest value read, in bytes; the rest is cut off.
    private static let longestValue = 1 << 18
    private static let mostAddresses = 10_000

    /// The fields of a block, folded values as they stand.
    static func rawFields(_ block: [UInt8], limit: Int) -> [(name: String, value: [UInt8])] {
        var fields: [(name: String, value: [UInt8])] = []
        var index = 0
        while index < block.count, fields.count <= limit {
            let end = block[index...].firstIndex(of: 0x0a) ?? block.count
            let line = block[index..<end]
            index = end + 1
            guard let first = line.first, !(first == 0x0d && line.count == 1) else { break }
            if first == 0x20 || first == 0x09 {
                if !fields.isEmpty { fields[fields.count - 1].value += line + [0x0a] }
            } else if let colon = line.firstIndex(of: UInt8(ascii: ":")), fields.count < limit {
                let name = line[..<colon].reversed().drop { $0 == 0x20 || $0 == 0x09 }.reversed()
                guard !name.isEmpty, name.allSatisfy({ (0x21...0x7e).contains($0) }) else { continue }
                fields.append((String(decoding: name, as: UTF8.self), line[(colon + 1)...] + [0x0a]))
            }
        }
        return Array(fields.prefix(limit))
    }

    /// RFC 5322 §2.2.3: folding undone, white space around dropped, other controls as spaces.
    static func unfold(_ raw: [UInt8]) -> [UInt8] {
        var value: [UInt8] = []
        value.reserveCapacity(min(raw.count, longestValue))
        for byte in raw.prefix(longestValue) where byte != 0x0d && byte != 0x0a {
            value.append(byte < 0x20 || byte == 0x7f ? 0x20 : byte)
        }
        while value.last == 0x20 { value.removeLast() }
        return Array(value.drop { $0 == 0x20 })
    }

    /// GMime reads a group inside a group by recursion; as each has a colon, their number bounds its depth.
    private static func withoutDeepGroups(_ value: [UInt8]) -> [UInt8] {
        let colons = value.indices.filter { value[$0] == UInt8(ascii: ":") }
        return colons.count > 200 ? Array(value[..<colons[200]]) : value
    }

    private static func appendMailboxes(
        of list: UnsafeMutablePointer<InternetAddressList>, to addresses: inout [MIMEAddress], depth: Int
    ) {
        for index in 0..<internet_address_list_length(list) where addresses.count < mostAddresses {
            guard let address = internet_address_list_get_address(list, index) else { continue }
            let object = UnsafeMutableRawPointer(address)
            if GMime.isInstance(object, of: internet_address_mailbox_get_type()) {
                let mailbox = object.assumingMemoryBound(to: InternetAddressMailbox.self)
                guard let text = GMime.copy(internet_address_mailbox_get_addr(mailbox)), !text.isEmpty else { continue }
                let name = GMime.copy(internet_address_get_name(address)) ?? ""
                addresses.append(MIMEAddress(name: name.withoutControls, address: text.withoutControls))
            } else if GMime.isInstance(object, of: internet_address_group_get_type()), depth < 4 {
                let group = object.assumingMemoryBound(to: InternetAddressGroup.self)
                guard let members = internet_address_group_get_members(group) else { continue }
                appendMailboxes(of: members, to: &addresses, depth: depth + 1)
            }
        }
    }
}

extension String {
    /// Encoded words can hide line ends and NUL; in a decoded value they are spaces.
    var withoutControls: String {
        guard utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return self }
        return String(decoding: utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 }, as: UTF8.self)
    }
}

extension UInt8 {
    var asciiLowercased: UInt8 { (0x41...0x5a).contains(self) ? self | 0x20 : self }
}
