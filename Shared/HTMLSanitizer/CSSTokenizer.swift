/// A token of CSS (CSS Syntax Level 3, §4), as far as style sheets of mails need it; escapes are decoded.
enum CSSToken: Hashable {
    case ident(String)
    /// `@name`, in lower case
    case atKeyword(String)
    /// `name(`, in lower case
    case function(String)
    case url(String)
    case string(String)
    /// `#…`
    case hash(String)
    /// With its unit or `%`, in lower case.
    case number(String)
    case space
    case colon
    case semicolon
    case comma
    case slash
    case bang
    case closeParenthesis
    case openParenthesis
    case openBrace
    case closeBrace
    /// `.`, `>`, `+`, `~` or `*`
    case mark(Character)
    /// Anything else: it makes its declaration or selector invalid.
    case other
}

struct CSSTokenizer {
    private let bytes: [UInt8]
    private var index = 0

    static func tokens(of text: String) -> [CSSToken] {
        var tokenizer = CSSTokenizer(bytes: Array(text.utf8))
        var tokens: [CSSToken] = []
        while let token = tokenizer.next() { tokens.append(token) }
        return tokens
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func peek(_ offset: Int = 0) -> UInt8? { index + offset < bytes.count ? bytes[index + offset] : nil }

    private mutating func next() -> CSSToken? {
        skipComments()
        guard let byte = peek() else { return nil }
        switch byte {
        case 0x09, 0x0a, 0x0c, 0x0d, 0x20:
            skipSpace()
            return .space
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return string(quote: byte)
        case UInt8(ascii: "#"):
            index += 1
            return .hash(name())
        case UInt8(ascii: ":"): return single(.colon)
        case UInt8(ascii: ";"): return single(.semicolon)
        case UInt8(ascii: ","): return single(.comma)
        case UInt8(ascii: "/"): return single(.slash)
        case UInt8(ascii: "!"): return single(.bang)
        case UInt8(ascii: ")"): return single(.closeParenthesis)
        case UInt8(ascii: "("): return single(.openParenthesis)
        case UInt8(ascii: "{"): return single(.openBrace)
        case UInt8(ascii: "}"): return single(.closeBrace)
        default:
            if startsNumber { return number() }
            if skipHTMLComment() { return .space }
            return startsName ? identLike() : markOrOther(byte)
        }
    }

    private mutating func single(_ token: CSSToken) -> CSSToken {
        index += 1
        return token
    }

    private mutating func markOrOther(_ byte: UInt8) -> CSSToken {
        index += 1
        if byte == UInt8(ascii: "@"), startsName { return .atKeyword(name().lowercased()) }
        return ".>+~*".utf8.contains(byte) ? .mark(Character(Unicode.Scalar(byte))) : .other
    }

    /// `<!--` and `-->` mean nothing between rules (§8.1).
    private mutating func skipHTMLComment() -> Bool {
        guard peek() == UInt8(ascii: "<") || peek() == UInt8(ascii: "-") else { return false }
        for mark in ["<!--", "-->"] where bytes[index...].starts(with: mark.utf8) {
            index += mark.utf8.count
            return true
        }
        return false
    }

    private mutating func skipComments() {
        while peek() == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
            index += 2
            while index < bytes.count, !(peek() == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/")) { index += 1 }
            index = min(index + 2, bytes.count)
        }
    }

    private mutating func skipSpace() {
        while let byte = peek(), Self.isSpace(byte) { index += 1 }
    }

    private var startsNumber: Bool {
        var offset = 0
        if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { offset = 1 }
        if peek(offset) == UInt8(ascii: ".") { offset += 1 }
        return peek(offset).map(Self.isDigit) ?? false
    }

    private var startsName: Bool {
        guard let byte = peek() else { return false }
        return Self.isName(byte) || (byte == UInt8(ascii: "\\") && peek(1) != nil && peek(1) != 0x0a)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0c || byte == 0x0d
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isName(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte >= 0x80
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }

    /// §4.3.11, escapes decoded.
    private mutating func name() -> String {
        let start = index
        while index < bytes.count, Self.isName(bytes[index]) { index += 1 }
        let plain = bytes[start..<index]
        guard startsName else { return String(decoding: plain, as: UTF8.self) }
        var name = Array(plain)
        while let byte = peek() {
            if Self.isName(byte) {
                name.append(byte)
                index += 1
            } else if startsName {
                index += 1
                name += Array(String(escaped()).utf8)
            } else {
                break
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// §4.3.7: after the backslash.
    private mutating func escaped() -> Unicode.Scalar {
        var value: UInt32 = 0
        var digits = 0
        while digits < 6, let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 {
            value = value << 4 | UInt32(digit)
            digits += 1
            index += 1
        }
        if digits > 0 {
            if let byte = peek(), Self.isSpace(byte) { index += 1 }
            return value == 0 ? "\u{FFFD}" : Unicode.Scalar(value) ?? "\u{FFFD}"
        }
        guard let byte = peek() else { return "\u{FFFD}" }
        index += 1
        // An escaped byte of a longer UTF-8 sequence would not be valid alone.
        return byte < 0x80 ? Unicode.Scalar(byte) : "\u{FFFD}"
    }

    private mutating func identLike() -> CSSToken {
        let name = name()
        guard peek() == UInt8(ascii: "(") else { return .ident(name) }
        index += 1
        return name.lowercased() == "url" ? url() : .function(name.lowercased())
    }

    /// §4.3.6, quoted or not: up to the closing parenthesis.
    private mutating func url() -> CSSToken {
        skipSpace()
        if let quote = peek(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            guard case .string(let text) = string(quote: quote) else { return .other }
            skipSpace()
            guard peek() == UInt8(ascii: ")") || peek() == nil else { return .other }
            index += 1
            return .url(text)
        }
        var text: [UInt8] = []
        while let byte = peek(), byte != UInt8(ascii: ")") {
            index += 1
            text += byte == UInt8(ascii: "\\") ? Array(String(escaped()).utf8) : [byte]
        }
        index += 1
        return .url(String(decoding: text, as: UTF8.self))
    }

    /// §4.3.5; a line end inside makes it bad.
    private mutating func string(quote: UInt8) -> CSSToken {
        index += 1
        var text: [UInt8] = []
        while let byte = peek(), byte != quote {
            index += 1
            if byte == 0x0a { return .other }
            if byte == UInt8(ascii: "\\") {
                if peek() == 0x0a { index += 1 } else { text += Array(String(escaped()).utf8) }
            } else {
                text.append(byte)
            }
        }
        index += 1
        return .string(String(decoding: text, as: UTF8.self))
    }

    private mutating func number() -> CSSToken {
        let start = index
        if let sign = peek(), !Self.isDigit(sign), sign != UInt8(ascii: ".") { index += 1 }
        var hasPoint = false
        while let byte = peek(), Self.isDigit(byte) || (byte == UInt8(ascii: ".") && !hasPoint) {
            hasPoint = hasPoint || byte == UInt8(ascii: ".")
            index += 1
        }
        let digits = String(decoding: bytes[start..<index], as: UTF8.self)
        if peek() == UInt8(ascii: "%") {
            index += 1
            return .number(digits + "%")
        }
        let unit = startsName ? name().lowercased() : ""
        guard digits.utf8.count <= 20, unit.utf8.count <= 4, unit.utf8.allSatisfy({ (0x61...0x7a).contains($0) }) else {
            return .other
        }
        return .number(digits + unit)
    }
}
