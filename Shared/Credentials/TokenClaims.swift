/// The claims of a token, read in one pass: `JSONDecoder` would cost more than the rest of a token's reading.
///
/// Strict where it matters: one object and nothing behind it, each member once (RFC 7519 §4), UTF-8. What no token of ours
/// has is refused: an escape other than of a quote, a slash and a backslash.
struct TokenClaims {
    private enum Value {
        case text(String)
        /// As written.
        case number(String)
        case texts([String])
        case other
    }

    struct Unreadable: Error {}

    private let members: [String: Value]

    /// - Throws: `Unreadable` for what is no such object.
    init(_ json: [UInt8]) throws(Unreadable) {
        var reader = Reader(json: json)
        members = try reader.object()
    }

    /// - Throws: `Unreadable` when the claim is absent or no text.
    func text(_ claim: AccessToken.CodingKeys) throws(Unreadable) -> String {
        guard let text = try optionalText(claim) else { throw Unreadable() }
        return text
    }

    func optionalText(_ claim: AccessToken.CodingKeys) throws(Unreadable) -> String? {
        switch members[claim.rawValue] {
        case .text(let text): return text
        case nil: return nil
        default: throw Unreadable()
        }
    }

    func optionalTexts(_ claim: AccessToken.CodingKeys) throws(Unreadable) -> [String]? {
        switch members[claim.rawValue] {
        case .texts(let texts): return texts
        case nil: return nil
        default: throw Unreadable()
        }
    }

    func number<Number: LosslessStringConvertible>(_ claim: AccessToken.CodingKeys) throws(Unreadable) -> Number {
        guard let number: Number = try optionalNumber(claim) else { throw Unreadable() }
        return number
    }

    func optionalNumber<Number: LosslessStringConvertible>(
        _ claim: AccessToken.CodingKeys
    ) throws(Unreadable) -> Number? {
        switch members[claim.rawValue] {
        case .number(let text):
            guard let number = Number(text) else { throw Unreadable() }
            return number
        case nil: return nil
        default: throw Unreadable()
        }
    }

    private struct Reader {
        let json: [UInt8]
        var index = 0

        mutating func object() throws(Unreadable) -> [String: Value] {
            var members: [String: Value] = [:]
            members.reserveCapacity(16)
            try expect("{")
            if !take("}") {
                repeat {
                    let name = try text()
                    try expect(":")
                    guard members.updateValue(try value(), forKey: name) == nil else { throw Unreadable() }
                } while take(",")
                try expect("}")
            }
            guard next == nil else { throw Unreadable() }
            return members
        }

        /// The next byte that is no space.
        private var next: UInt8? {
            mutating get {
                while index < json.count {
                    switch json[index] {
                    case 0x20, 0x0A, 0x0D, 0x09: index += 1
                    case let byte: return byte
                    }
                }
                return nil
            }
        }

        private mutating func take(_ letter: Unicode.Scalar) -> Bool {
            guard let next, next == UInt8(ascii: letter) else { return false }
            index += 1
            return true
        }

        private mutating func expect(_ letter: Unicode.Scalar) throws(Unreadable) {
            guard take(letter) else { throw Unreadable() }
        }

        private mutating func value() throws(Unreadable) -> Value {
            switch next {
            case UInt8(ascii: "\""): return .text(try text())
            case UInt8(ascii: "-"), 0x30?, 0x31?, 0x32?, 0x33?, 0x34?, 0x35?, 0x36?, 0x37?, 0x38?, 0x39?:
                return .number(number())
            case UInt8(ascii: "["):
                let start = index
                if let texts = try? texts() { return .texts(texts) }
                index = start
                try skipNested()
            case UInt8(ascii: "{"): try skipNested()
            case nil: throw Unreadable()
            default: try skipWord()
            }
            return .other
        }

        private mutating func texts() throws(Unreadable) -> [String] {
            var texts: [String] = []
            try expect("[")
            if take("]") { return texts }
            repeat { texts.append(try text()) } while take(",")
            try expect("]")
            return texts
        }

        private mutating func text() throws(Unreadable) -> String {
            try expect("\"")
            var escaped: [UInt8] = []
            var start = index
            while index < json.count {
                switch json[index] {
                case UInt8(ascii: "\""):
                    let rest = json[start..<index]
                    index += 1
                    let text =
                        escaped.isEmpty
                        ? String(validating: rest, as: UTF8.self) : String(validating: escaped + rest, as: UTF8.self)
                    guard let text else { throw Unreadable() }
                    return text
                case UInt8(ascii: "\\"):
                    guard index + 1 < json.count, #""/\"#.utf8.contains(json[index + 1]) else { throw Unreadable() }
                    escaped += json[start..<index]
                    start = index + 1
                    index += 2
                case ..<0x20: throw Unreadable()
                default: index += 1
                }
            }
            throw Unreadable()
        }

        private mutating func number() -> String {
            let start = index
            while index < json.count, #"+-.eE0123456789"#.utf8.contains(json[index]) { index += 1 }
            return String(decoding: json[start..<index], as: UTF8.self)
        }

        private mutating func skipWord() throws(Unreadable) {
            let start = index
            while index < json.count, UInt8(ascii: "a")...UInt8(ascii: "z") ~= json[index] { index += 1 }
            guard ["true", "false", "null"].contains(where: { json[start..<index].elementsEqual($0.utf8) }) else {
                throw Unreadable()
            }
        }

        /// What is in a claim that nobody here reads is of no interest, only where it ends.
        private mutating func skipNested() throws(Unreadable) {
            var depth = 0
            repeat {
                switch next {
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: "\""):
                    _ = try text()
                    continue
                case nil: throw Unreadable()
                default: break
                }
                index += 1
            } while depth > 0
        }
    }
}

extension AccessToken {
    /// - Throws: `TokenClaims.Unreadable` when a claim is missing or of another type.
    init(_ claims: TokenClaims) throws(TokenClaims.Unreadable) {
        guard let type = Kind(rawValue: try claims.text(.type)) else { throw .init() }
        self.type = type
        iss = try claims.text(.iss)
        aud = try claims.text(.aud)
        sub = try claims.text(.sub)
        jti = try claims.text(.jti)
        iat = try claims.number(.iat)
        exp = try claims.number(.exp)
        sid = try claims.text(.sid)
        email = try claims.text(.email)
        customerID = try claims.optionalNumber(.customerID)
        role = try claims.optionalText(.role)
        accounts = try claims.optionalTexts(.accounts)
        scope = try claims.optionalText(.scope)
        clientID = try claims.optionalText(.clientID)
    }
}
