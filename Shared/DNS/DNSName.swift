/// Domain names on the wire (RFC 1035 §3.1).
enum DNSName {
    /// - Parameter text: LDH labels and underscores, with or without the trailing dot; empty is the root.
    static func encode(_ text: String) throws(DNSError) -> [UInt8] {
        let trimmed = text.hasSuffix(".") ? text.dropLast() : Substring(text)
        var bytes: [UInt8] = []
        if !trimmed.isEmpty {
            for label in trimmed.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
                guard (1...63).contains(label.count) else { throw .malformed }
                bytes.append(UInt8(label.count))
                bytes += label
            }
        }
        bytes.append(0)
        guard bytes.count <= 255 else { throw .malformed }
        return bytes
    }
}

/// Reads a message, never beyond its end and never round in circles.
struct DNSReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func uint8() throws(DNSError) -> UInt8 {
        guard position < bytes.count else { throw .malformed }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func uint16() throws(DNSError) -> UInt16 {
        let high = try uint8()
        return UInt16(high) << 8 | UInt16(try uint8())
    }

    mutating func uint32() throws(DNSError) -> UInt32 {
        let high = try uint16()
        return UInt32(high) << 16 | UInt32(try uint16())
    }

    mutating func take(_ count: Int) throws(DNSError) -> [UInt8] {
        guard count >= 0, position + count <= bytes.count else { throw .malformed }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    /// A name, compressed or not (RFC 1035 §4.1.4): lower case, without the trailing dot. A byte that has no place in the
    /// names that are compared here becomes a question mark.
    mutating func name() throws(DNSError) -> String {
        var labels: [String] = []
        var total = 0, jumps = 0, resume: Int?
        while true {
            let length = Int(try uint8())
            if length == 0 { break }
            if length & 0xc0 == 0xc0 {
                let target = (length & 0x3f) << 8 | Int(try uint8())
                jumps += 1
                guard jumps <= 64, target < bytes.count else { throw .malformed }
                resume = resume ?? position
                position = target
                continue
            }
            guard length <= 63 else { throw .malformed }
            total += length + 1
            guard total <= 254 else { throw .malformed }
            labels.append(Self.text(try take(length)))
        }
        if let resume { position = resume }
        return labels.joined(separator: ".")
    }

    mutating func records(_ count: UInt16) throws(DNSError) -> [DNSResourceRecord] {
        var records: [DNSResourceRecord] = []
        for _ in 0..<count {
            let name = try name(), type = try uint16(), recordClass = try uint16(), ttl = try uint32()
            let length = Int(try uint16())
            let end = position + length
            guard end <= bytes.count else { throw .malformed }
            let data = try data(type, length)
            guard position <= end else { throw .malformed }
            position = end
            records.append(
                DNSResourceRecord(name: name, type: type, recordClass: recordClass, ttl: ttl, data: data))
        }
        return records
    }

    /// RDATA with the names in it written out.
    private mutating func data(_ type: UInt16, _ length: Int) throws(DNSError) -> [UInt8] {
        switch DNSType(rawValue: type) {
        case .cname, .ns: return try DNSName.encode(try name())
        case .mx: return try take(2) + (try DNSName.encode(try name()))
        case .srv: return try take(6) + (try DNSName.encode(try name()))
        case .soa:
            let names = try DNSName.encode(try name()) + (try DNSName.encode(try name()))
            return names + (try take(20))
        default: return try take(length)
        }
    }

    private static func text(_ label: [UInt8]) -> String {
        String(
            decoding: label.map { byte in
                switch byte {
                case 0x41...0x5a: byte + 0x20
                case 0x21...0x2d, 0x2f...0x7e: byte
                default: UInt8(ascii: "?")
                }
            }, as: UTF8.self)
    }
}
