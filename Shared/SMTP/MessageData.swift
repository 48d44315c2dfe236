/// The message as DATA wants it (RFC 5321 §4.1.1.4).
enum MessageData {
    /// Bare CR and bare LF become CRLF, so that no server can see the end of the data where another does not (SMTP
    /// smuggling); lines that begin with a dot get another (§4.5.2). Ends with CRLF `.` CRLF.
    static func encode(_ message: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(message.count + message.count / 32 + 5)
        var atLineStart = true
        var afterCR = false
        for byte in message {
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
        if !atLineStart { output.append(contentsOf: [0x0d, 0x0a]) }
        output.append(contentsOf: terminator)
        return output
    }

    /// What ends a message, and all of an empty one.
    static let terminator: [UInt8] = [UInt8(ascii: "."), 0x0d, 0x0a]
}
