/// A strict JSON parser over bytes: no duplicate keys, no lone surrogates, bounded depth, nothing after the value.
struct JSONParser {
    /// Where and why a text is no JSON.
    struct Malformed: Error {
        let offset: Int
        let reason: String
    }

    private static let maximumDepth = 64
    private static let maximumNumberLength = 64

    private let bytes: [UInt8]
    private var position = 0

    static func parse(_ bytes: [UInt8]) throws(Malformed) -> JSONValue {
        var parser = JSONParser(bytes: bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.malformed("there is something after the value") }
        return value
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func malformed(_ reason: String) -> Malformed { Malformed(offset: position, reason: reason) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(Malformed) -> JSONValue {
        guard depth < Self.maximumDepth else { throw malformed("it is nested too deeply") }
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), 0x30?, 0x31?, 0x32?, 0x33?, 0x34?, 0x35?, 0x36?, 0x37?, 0x38?, 0x39?:
            return .number(try number())
        case nil: throw malformed("it ends too early")
        default: throw malformed("a value was expected")
        }
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(Malformed) -> JSONValue {
        let end = position + text.utf8CodeUnitCount
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard end <= bytes.count, bytes[position..<end].elementsEqual(expected) else {
            throw malformed("a value was expected")
        }
        position = end
        return value
    }

    private mutating func object(depth: Int) throws(Malformed) -> JSONObject {
        position += 1
        var members: [String: JSONValue] = [:]
        var keys: [String] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return JSONObject(members: members, keys: keys) }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw malformed("a field name was expected") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw malformed("a ':' was expected") }
            guard members.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
                throw malformed("a field is there twice")
            }
            keys.append(key)
            skipSpace()
            if take(UInt8(ascii: "}")) { return JSONObject(members: members, keys: keys) }
            guard take(UInt8(ascii: ",")) else { throw malformed("a ',' or '}' was expected") }
        }
    }

    private mutating func array(depth: Int) throws(Malformed) -> [JSONValue] {
        position += 1
        var items: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return items }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return items }
            guard take(UInt8(ascii: ",")) else { throw malformed("a ',' or ']' was expected") }
        }
    }

    /// RFC 8259 §6
    private mutating func number() throws(Malformed) -> String {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        guard position - start <= Self.maximumNumberLength else { throw malformed("a number is too long") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(Malformed) {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw malformed("a digit was expected") }
    }

    /// RFC 8259 §7
    private mutating func string() throws(Malformed) -> String {
        position += 1
        let start = position
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        var content = Array(bytes[start..<position])
        while true {
            guard let byte = current else { throw malformed("a string does not end") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw malformed("a string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &content)
            case ..<0x20: throw malformed("a control character stands in a string")
            default: content.append(byte)
            }
        }
    }

    private mutating func escape(into content: inout [UInt8]) throws(Malformed) {
        guard let byte = current else { throw malformed("a string does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0c)
        case UInt8(ascii: "n"): content.append(0x0a)
        case UInt8(ascii: "r"): content.append(0x0d)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            var code = try codeUnit()
            if (0xd800..<0xdc00).contains(code), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
                let low = try codeUnit()
                guard (0xdc00..<0xe000).contains(low) else { throw malformed("a surrogate stands alone") }
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed("a surrogate stands alone") }
            content.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        default: throw malformed("an unknown escape stands in a string")
        }
    }

    private mutating func codeUnit() throws(Malformed) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = current.flatMap(PercentEncoding.hexValue) else {
                throw malformed("four hex digits were expected")
            }
            position += 1
            code = code << 4 | UInt32(digit)
        }
        return code
    }
}
