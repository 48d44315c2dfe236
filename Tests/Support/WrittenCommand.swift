/// A command as an IMAP client wrote it, read strictly by the grammar (RFC 9051 §9) with no code of the product.
public struct WrittenCommand: Sendable {
    /// What is no command.
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    public let tag: String
    /// `CREATE`, `UID FETCH`
    public let verb: String
    /// The command without its tag, each quoted string and each literal being `$`.
    public let shape: String
    /// What these hold, in order, the escapes undone.
    public let strings: [[UInt8]]

    /// All commands that a client wrote, the last to its end.
    ///
    /// - Throws: `Malformed`: a line that is no command, a byte that no command may hold, text behind a literal that is
    ///   neither argument nor line end.
    public static func all(in bytes: [UInt8]) throws -> [WrittenCommand] {
        var reader = Reader(bytes: bytes)
        var commands: [WrittenCommand] = []
        while !reader.isAtEnd { commands.append(try reader.command()) }
        return commands
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        var isAtEnd: Bool { index == bytes.count }

        mutating func command() throws -> WrittenCommand {
            var tag: [UInt8] = []
            while let byte = next(), byte != UInt8(ascii: " ") {
                let isLetterOrDigit =
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                guard isLetterOrDigit else { throw malformed("no tag") }
                tag.append(byte)
            }
            guard !tag.isEmpty else { throw malformed("no tag") }
            var shape: [UInt8] = []
            var strings: [[UInt8]] = []
            while true {
                guard let byte = next() else { throw malformed("an unfinished command") }
                switch byte {
                case UInt8(ascii: "\r"):
                    guard next() == UInt8(ascii: "\n") else { throw malformed("CR alone") }
                    let text = String(decoding: shape, as: UTF8.self)
                    return WrittenCommand(
                        tag: String(decoding: tag, as: UTF8.self), verb: Self.verb(of: text), shape: text,
                        strings: strings)
                case UInt8(ascii: "\""):
                    strings.append(try quoted())
                    shape.append(UInt8(ascii: "$"))
                case UInt8(ascii: "{"):
                    strings.append(try literal())
                    if shape.last == UInt8(ascii: "~") { shape.removeLast() }
                    shape.append(UInt8(ascii: "$"))
                case 0x20...0x7e: shape.append(byte)
                default: throw malformed("byte \(byte)")
                }
            }
        }

        private mutating func next() -> UInt8? {
            guard index < bytes.count else { return nil }
            defer { index += 1 }
            return bytes[index]
        }

        private mutating func quoted() throws -> [UInt8] {
            var text: [UInt8] = []
            while let byte = next(), byte != UInt8(ascii: "\"") {
                switch byte {
                case UInt8(ascii: "\\"):
                    guard let escaped = next(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else {
                        throw malformed("a wrong escape")
                    }
                    text.append(escaped)
                case 0x20...0x7e: text.append(byte)
                default: throw malformed("byte \(byte) in a quoted string")
                }
            }
            guard index > 0, bytes[index - 1] == UInt8(ascii: "\"") else { throw malformed("an open quote") }
            return text
        }

        /// `{5}` or `{5+}`, the line end, and so many bytes (RFC 7888).
        private mutating func literal() throws -> [UInt8] {
            var count = 0
            var digit = next()
            while let value = digit, (0x30...0x39).contains(value), count < 1 << 32 {
                count = count * 10 + Int(value - 0x30)
                digit = next()
            }
            if digit == UInt8(ascii: "+") { digit = next() }
            guard digit == UInt8(ascii: "}"), next() == UInt8(ascii: "\r"), next() == UInt8(ascii: "\n") else {
                throw malformed("a brace that begins no literal")
            }
            guard index + count <= bytes.count else { throw malformed("a literal cut short") }
            defer { index += count }
            return Array(bytes[index..<index + count])
        }

        private static func verb(of shape: String) -> String {
            let words = shape.uppercased().split(separator: " ")
            return words.prefix(words.first == "UID" ? 2 : 1).joined(separator: " ")
        }

        private func malformed(_ what: String) -> Malformed {
            let before = String(decoding: bytes[max(0, index - 80)..<index], as: UTF8.self)
            return Malformed(description: "\(what) after \(before.debugDescription)")
        }
    }
}
