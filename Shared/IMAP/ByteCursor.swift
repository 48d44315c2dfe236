/// Why a response could not be read; it is then preserved as `UntaggedResponse.other`.
struct MalformedResponse: Error {}

/// Reads the tokens of RFC 9051 §9 from the bytes of one response.
///
/// Pointers rather than arrays or `Span`, since they are four times as fast here. Every read is checked against `end`.
struct ByteCursor {
    private(set) var next: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>
    let limits: IMAPLimits

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: IMAPLimits) {
        // A response has at least its line end, so there always is a base address; an empty one reads as ended.
        next = bytes.baseAddress ?? UnsafePointer(bitPattern: 1).unsafelyUnwrapped
        end = next + bytes.count
        self.limits = limits
    }

    var isAtEnd: Bool { next >= end }

    /// The byte ahead; 0, which no token begins with, at the end.
    @inline(__always) var peek: UInt8 { next < end ? next.pointee : 0 }

    @inline(__always) mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte, byte != 0 else { return false }
        next += 1
        return true
    }

    @inline(__always) mutating func expect(_ byte: UInt8) throws(MalformedResponse) {
        guard take(byte) else { throw MalformedResponse() }
    }

    mutating func space() throws(MalformedResponse) { try expect(0x20) }

    mutating func skipSpaces() {
        while peek == 0x20 { next += 1 }
    }

    mutating func restore(_ earlier: ByteCursor) { next = earlier.next }

    // MARK: Numbers

    mutating func number64() throws(MalformedResponse) -> UInt64 {
        var value: UInt64 = 0
        let first = next
        while next < end {
            let digit = next.pointee &- 0x30
            guard digit <= 9 else { break }
            let (scaled, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = scaled.addingReportingOverflow(UInt64(digit))
            guard !tooLarge, !overflow else { throw MalformedResponse() }
            value = sum
            next += 1
        }
        guard next > first else { throw MalformedResponse() }
        return value
    }

    /// A size: none is beyond 63 bits (RFC 9051 §9, number64).
    mutating func number63() throws(MalformedResponse) -> UInt64 {
        let value = try number64()
        guard value <= UInt64(Int64.max) else { throw MalformedResponse() }
        return value
    }

    mutating func number() throws(MalformedResponse) -> UInt32 {
        guard let value = UInt32(exactly: try number64()) else { throw MalformedResponse() }
        return value
    }

    /// `1,3:5,*`
    mutating func sequenceSet() throws(MalformedResponse) -> SequenceSet {
        var set = SequenceSet()
        repeat {
            let first = try sequenceNumber()
            if take(UInt8(ascii: ":")) {
                let last = try sequenceNumber()
                set.append(min(first, last)...max(first, last))
            } else {
                set.append(first...first)
            }
        } while take(UInt8(ascii: ","))
        return set
    }

    private mutating func sequenceNumber() throws(MalformedResponse) -> UInt32 {
        take(UInt8(ascii: "*")) ? .max : try number()
    }

    // MARK: Words

    /// Bytes up to a space, parenthesis, bracket, quote or control; never empty.
    mutating func word() throws(MalformedResponse) -> UnsafeBufferPointer<UInt8> {
        let first = next
        while next < end, Self.isWordByte(next.pointee) { next += 1 }
        guard next > first else { throw MalformedResponse() }
        return UnsafeBufferPointer(start: first, count: next - first)
    }

    mutating func wordText() throws(MalformedResponse) -> String { Self.text(try word()) }

    /// Bytes up to a delimiter, or to the end.
    mutating func bytes(before delimiter: UInt8) -> UnsafeBufferPointer<UInt8> {
        let first = next
        while next < end, next.pointee != delimiter { next += 1 }
        return UnsafeBufferPointer(start: first, count: next - first)
    }

    /// Passes exactly these bytes, if they lie ahead.
    mutating func pass(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard end - next >= bytes.count, UnsafeBufferPointer(start: next, count: bytes.count).elementsEqual(bytes)
        else {
            return false
        }
        next += bytes.count
        return true
    }

    /// All up to the line end, for people.
    mutating func restOfLine() -> String {
        var last = end
        if last > next, (last - 1).pointee == 0x0A { last -= 1 }
        if last > next, (last - 1).pointee == 0x0D { last -= 1 }
        let bytes = UnsafeBufferPointer(start: next, count: last - next)
        next = end
        return Self.text(bytes)
    }

    // MARK: Strings

    /// The bytes of a string, and whether it still has its backslashes.
    struct RawString {
        var bytes: UnsafeBufferPointer<UInt8>
        var isEscaped = false

        var unescaped: [UInt8] {
            guard isEscaped else { return Array(bytes) }
            var plain: [UInt8] = []
            plain.reserveCapacity(bytes.count)
            var index = 0
            while index < bytes.count {
                if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count { index += 1 }
                plain.append(bytes[index])
                index += 1
            }
            return plain
        }

        var text: String {
            isEscaped ? unescaped.withUnsafeBufferPointer(ByteCursor.text) : ByteCursor.text(bytes)
        }
    }

    /// A quoted string, literal or atom; nil for NIL.
    mutating func optionalString() throws(MalformedResponse) -> RawString? {
        switch peek {
        case UInt8(ascii: "\""):
            return try quoted()
        case UInt8(ascii: "{"),
            UInt8(ascii: "~") where startsLiteral:
            return RawString(bytes: try literal())
        default:
            let word = try word()
            return word.equals("NIL") ? nil : RawString(bytes: word)
        }
    }

    /// Whether the `~` ahead begins a literal: it may also begin a word.
    private var startsLiteral: Bool { end - next > 1 && next[1] == UInt8(ascii: "{") }

    mutating func optionalText() throws(MalformedResponse) -> String? { try optionalString()?.text }

    /// An astring: NIL is a name like any other, and brackets may stand in one (RFC 9051 §9).
    mutating func text() throws(MalformedResponse) -> String {
        switch peek {
        case UInt8(ascii: "\""), UInt8(ascii: "{"),
            UInt8(ascii: "~") where startsLiteral:
            return try optionalString()?.text ?? "NIL"
        default:
            let first = next
            while next < end, Self.isWordByte(next.pointee) || Self.isBracket(next.pointee) { next += 1 }
            guard next > first else { throw MalformedResponse() }
            return Self.text(UnsafeBufferPointer(start: first, count: next - first))
        }
    }

    private static func isBracket(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]") }

    private mutating func quoted() throws(MalformedResponse) -> RawString {
        next += 1
        let first = next
        var isEscaped = false
        while next < end {
            switch next.pointee {
            case UInt8(ascii: "\""):
                let bytes = UnsafeBufferPointer(start: first, count: next - first)
                next += 1
                return RawString(bytes: bytes, isEscaped: isEscaped)
            case UInt8(ascii: "\\"):
                isEscaped = true
                next += end - next > 1 ? 2 : 1
            default:
                next += 1
            }
        }
        throw MalformedResponse()
    }

    private mutating func literal() throws(MalformedResponse) -> UnsafeBufferPointer<UInt8> {
        _ = take(UInt8(ascii: "~"))
        try expect(UInt8(ascii: "{"))
        let size = try number64()
        _ = take(UInt8(ascii: "+"))
        try expect(UInt8(ascii: "}"))
        _ = take(0x0D)
        try expect(0x0A)
        guard size <= UInt64(end - next) else { throw MalformedResponse() }
        defer { next += Int(size) }
        return UnsafeBufferPointer(start: next, count: Int(size))
    }

    // MARK: Lists

    /// `(a b c)`; the elements are read by `element`.
    mutating func list(
        _ element: (inout ByteCursor) throws(MalformedResponse) -> Void
    ) throws(MalformedResponse) {
        try expect(UInt8(ascii: "("))
        var count = 0
        skipSpaces()
        while !take(UInt8(ascii: ")")) {
            count += 1
            guard count <= limits.listItems else { throw MalformedResponse() }
            try element(&self)
            skipSpaces()
        }
    }

    /// A list, or NIL for an empty one.
    mutating func optionalList(
        _ element: (inout ByteCursor) throws(MalformedResponse) -> Void
    ) throws(MalformedResponse) {
        if peek == UInt8(ascii: "(") { return try list(element) }
        guard try optionalString() == nil else { throw MalformedResponse() }
    }

    /// Passes one value of any kind: an item we do not know, or one that is malformed inside.
    mutating func skipValue() throws(MalformedResponse) {
        var depth = 0
        repeat {
            skipSpaces()
            switch peek {
            case UInt8(ascii: "("):
                depth += 1
                next += 1
            case UInt8(ascii: ")"):
                guard depth > 0 else { throw MalformedResponse() }
                depth -= 1
                next += 1
            case UInt8(ascii: "["), UInt8(ascii: "]"):
                next += 1
            default:
                _ = try optionalString()
            }
        } while depth > 0
    }

    // MARK: Texts

    /// UTF-8, or else ISO 8859-1, which any bytes are.
    static func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        // Decoding is faster than validating; a replacement character in the result tells of bytes that are no UTF-8.
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.utf8.count != bytes.count || (bytes.contains { $0 >= 0x80 } && text.contains("\u{FFFD}")) else {
            return text
        }
        if let valid = String(validating: bytes, as: UTF8.self) { return valid }
        return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    @inline(__always) private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F, UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"),
            UInt8(ascii: "{"), UInt8(ascii: "\""):
            false
        default: true
        }
    }
}

extension ByteCursor.RawString? {
    /// For names that have no case: in small letters.
    var lowercasedText: String {
        guard let self else { return "" }
        if self.isEscaped { return self.text.lowercased() }
        return String(unsafeUninitializedCapacity: self.bytes.count) { target in
            for (index, byte) in self.bytes.enumerated() {
                // Bytes beyond ASCII have no place in such names; `?` keeps the text valid.
                target[index] = byte &- 0x41 < 26 ? byte | 0x20 : byte < 0x80 ? byte : UInt8(ascii: "?")
            }
            return self.bytes.count
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Compares with a word in capitals, without regard to case.
    @inline(__always) func equals(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        let letters = word.utf8Start
        for index in 0..<count {
            let byte = self[index]
            let capital = byte &- 0x61 < 26 ? byte & 0xDF : byte
            guard capital == letters[index] else { return false }
        }
        return true
    }
}
