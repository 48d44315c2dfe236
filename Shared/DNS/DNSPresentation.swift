/// Records as zone files write them (RFC 1035 §5.1): host names absolute with the trailing dot, texts quoted.
public enum DNSPresentation {
    /// The value of a record; nil for a type that is not known here, and for RDATA that is none.
    public static func text(type: DNSType, data: [UInt8]) -> String? {
        var reader = DNSReader(data)
        do throws(DNSError) {
            switch type {
            case .cname, .ns: return try reader.name() + "."
            case .mx:
                let priority = try reader.uint16()
                return "\(priority) \(try reader.name())."
            case .srv:
                let numbers = (try reader.uint16(), try reader.uint16(), try reader.uint16())
                let target = try reader.name()
                return "\(numbers.0) \(numbers.1) \(numbers.2) \(target.isEmpty ? "." : target + ".")"
            case .txt: return quoted(try strings(&reader, count: data.count))
            case .a: return data.count == 4 ? data.map(String.init).joined(separator: ".") : nil
            case .tlsa:
                let numbers = (try reader.uint8(), try reader.uint8(), try reader.uint8())
                return "\(numbers.0) \(numbers.1) \(numbers.2) \(hex(data.dropFirst(3)))"
            case .aaaa, .soa, .tsig, .any: return nil
            }
        } catch { return nil }
    }

    /// RDATA of a value.
    /// - Throws: `DNSError.malformed` for a value that is none of its type.
    public static func data(type: DNSType, text: String) throws(DNSError) -> [UInt8] {
        let words = text.split(separator: " ").map(String.init)
        switch type {
        case .cname, .ns:
            guard words.count == 1 else { throw .malformed }
            return try DNSName.encode(words[0])
        case .mx, .srv:
            let count = type == .mx ? 1 : 3
            guard words.count == count + 1 else { throw .malformed }
            var data: [UInt8] = []
            for word in words.prefix(count) {
                guard let number = UInt16(word) else { throw .malformed }
                data.append(uint16: number)
            }
            return data + (try DNSName.encode(words[count]))
        case .txt: return try characterStrings(unquoted(text))
        case .tlsa:
            guard words.count == 4, let hash = bytes(hex: words[3]) else { throw .malformed }
            var data: [UInt8] = []
            for word in words.prefix(3) {
                guard let number = UInt8(word) else { throw .malformed }
                data.append(number)
            }
            return data + hash
        case .a, .aaaa, .soa, .tsig, .any: throw .malformed
        }
    }

    /// A text as character-strings of at most 255 octets each (RFC 1035 §3.3, RFC 7208 §3.3).
    public static func quoted(_ text: [UInt8]) -> String {
        var strings: [String] = []
        var rest = text[...]
        repeat {
            let escaped = rest.prefix(255).flatMap { byte -> [UInt8] in
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), byte]
                case 0x20...0x7e: [byte]
                default: Array("\\\(byte / 100)\(byte / 10 % 10)\(byte % 10)".utf8)
                }
            }
            strings.append("\"" + String(decoding: escaped, as: UTF8.self) + "\"")
            rest = rest.dropFirst(255)
        } while !rest.isEmpty
        return strings.joined(separator: " ")
    }

    /// What a value of quoted character-strings says, as one.
    /// - Throws: `DNSError.malformed`.
    public static func unquoted(_ text: String) throws(DNSError) -> [UInt8] {
        var bytes: [UInt8] = []
        var isInside = false
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): isInside.toggle()
            case UInt8(ascii: "\\"):
                let digits = rest.prefix(3)
                if digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) {
                    let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
                    guard let byte = UInt8(exactly: value) else { throw .malformed }
                    bytes.append(byte)
                    rest = rest.dropFirst(3)
                } else if let next = rest.popFirst() {
                    bytes.append(next)
                } else {
                    throw .malformed
                }
            default: if isInside || byte != 0x20 { bytes.append(byte) }
            }
        }
        guard !isInside else { throw .malformed }
        return bytes
    }

    private static func strings(_ reader: inout DNSReader, count: Int) throws(DNSError) -> [UInt8] {
        var text: [UInt8] = []
        while reader.position < count { text += try reader.take(Int(try reader.uint8())) }
        return text
    }

    private static func characterStrings(_ text: [UInt8]) throws(DNSError) -> [UInt8] {
        var data: [UInt8] = []
        var rest = text[...]
        repeat {
            let string = rest.prefix(255)
            data.append(UInt8(string.count))
            data += string
            rest = rest.dropFirst(255)
        } while !rest.isEmpty
        return data
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private static func bytes(hex: String) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        let bytes = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)
        }
        return bytes.contains(nil) ? nil : bytes.compactMap(\.self)
    }
}
