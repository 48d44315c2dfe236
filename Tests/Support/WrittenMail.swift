/// What an SMTP client wrote on one connection, read strictly (RFC 5321 §4.1) with no code of the product.
public struct WrittenMail: Sendable {
    /// What is no SMTP.
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    /// The command lines, without their ends.
    public private(set) var commands: [String] = []
    /// What followed a DATA, the dots undone.
    public private(set) var messages: [[UInt8]] = []

    /// - Throws: `Malformed`: a line end that is not CRLF, a control character in a command, a message without its end.
    public init(reading bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let line = try Self.line(&rest)
            guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
                throw Malformed(description: "a control character in \(String(decoding: line, as: UTF8.self))")
            }
            commands.append(String(decoding: line, as: UTF8.self))
            // A DATA that was refused is followed by the next command.
            let next = String(decoding: rest.prefix(10), as: UTF8.self)
            guard commands.last == "DATA", !rest.isEmpty,
                !["RSET\r\n", "QUIT\r\n", "MAIL FROM:"].contains(where: next.hasPrefix)
            else { continue }
            messages.append(try Self.message(&rest))
        }
    }

    public func count(of verb: String) -> Int { commands.count { $0.hasPrefix(verb) } }

    private static func message(_ rest: inout ArraySlice<UInt8>) throws -> [UInt8] {
        var message: [UInt8] = []
        while true {
            guard !rest.isEmpty else { throw Malformed(description: "a message without an end") }
            let line = try Self.line(&rest)
            if line == [UInt8(ascii: ".")] { return message }
            message += line.first == UInt8(ascii: ".") ? line.dropFirst() : line
            message += [0x0d, 0x0a]
        }
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) throws -> ArraySlice<UInt8> {
        guard let end = rest.firstIndex(where: { $0 == 0x0d || $0 == 0x0a }) else {
            throw Malformed(description: "an unfinished line")
        }
        guard rest[end...].starts(with: [0x0d, 0x0a]) else { throw Malformed(description: "CR or LF alone") }
        defer { rest = rest[(end + 2)...] }
        return rest[..<end]
    }
}
