/// The message as DATA wants it (RFC 5321 §4.1.1.4), a piece at a time.
struct MessageData {
    private var atLineStart = true
    private var afterCR = false

    /// Bare CR and bare LF become CRLF, so that no server can see the end of the data where another does not (SMTP
    /// smuggling); lines that begin with a dot get another (§4.5.2).
    mutating func encode(_ piece: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(piece.count + piece.count / 32 + 5)
        for byte in piece {
            switch byte {
            case 0x0d:
                output.append(contentsOf: [0x0d, 0x0a])
                atLineStart = true
            case 0x0a:
                if !afterCR { output.append(contentsOf: [0x0d, 0x0a]) }
                atLineStart = true
            default:
                if atLineStart && byte == UInt8(ascii: ".") { output.append(byte) }
                output.append(byte)
                atLineStart = false
            }
            afterCR = byte == 0x0d
        }
        return output
    }

    /// CRLF `.` CRLF, the first CRLF only where the last line has none.
    var end: [UInt8] { (atLineStart ? [] : [0x0d, 0x0a]) + Self.terminator }

    /// A whole message with its end.
    static func encode(_ message: [UInt8]) -> [UInt8] {
        var data = MessageData()
        let encoded = data.encode(message)
        return encoded + data.end
    }

    /// What ends a message, and all of an empty one.
    static let terminator: [UInt8] = [UInt8(ascii: "."), 0x0d, 0x0a]
}
