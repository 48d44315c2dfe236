/// A command line; every argument is checked before it becomes bytes, so that none can hold a second command.
struct SMTPCommand: Sendable, Hashable {
    let stage: SMTPError.Stage
    /// Ends with CRLF.
    let bytes: [UInt8]

    private init(_ stage: SMTPError.Stage, _ line: String) {
        self.stage = stage
        self.bytes = Array(line.utf8) + [0x0d, 0x0a]
    }

    static let startTLS = SMTPCommand(.startTLS, "STARTTLS")
    static let data = SMTPCommand(.data, "DATA")
    static let reset = SMTPCommand(.reset, "RSET")
    static let quit = SMTPCommand(.quit, "QUIT")
    /// The client's answer to a SASL challenge that tells of an error, which asks the server to say so.
    static let emptyResponse = SMTPCommand(.auth, "")

    /// - Throws: `SMTPError.invalidArgument` unless the name is printable ASCII without spaces.
    static func ehlo(_ clientName: String) throws(SMTPError) -> SMTPCommand {
        guard !clientName.isEmpty, clientName.utf8.count <= 255,
            clientName.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { throw .invalidArgument("the client's name") }
        return SMTPCommand(.ehlo, "EHLO " + clientName)
    }

    /// - Parameter size: Of the message in bytes; nil leaves SIZE out (RFC 1870 §6).
    static func mail(_ sender: String, size: Int?, is8Bit: Bool, isUTF8: Bool) throws(SMTPError) -> SMTPCommand {
        var line = sender.isEmpty ? "MAIL FROM:<>" : "MAIL FROM:<\(try checked(sender))>"
        if let size { line += " SIZE=\(size)" }
        if is8Bit { line += " BODY=8BITMIME" }
        if isUTF8 { line += " SMTPUTF8" }
        return SMTPCommand(.mail, line)
    }

    static func recipient(_ address: String) throws(SMTPError) -> SMTPCommand {
        SMTPCommand(.rcpt, "RCPT TO:<\(try checked(address))>")
    }

    /// With its initial response (RFC 4954 §4).
    static func authenticate(_ credentials: SMTPCredentials) throws(SMTPError) -> SMTPCommand {
        switch credentials {
        case .plain(let user, let password):
            guard !user.isEmpty, !user.utf8.contains(0), !password.utf8.contains(0) else {
                throw .invalidArgument("the user name or password")
            }
            let response = [0] + Array(user.utf8) + [0] + Array(password.utf8)
            return SMTPCommand(.auth, "AUTH PLAIN " + Base64.encode(response))
        case .xoauth2(let user, let token):
            // The fields of the response are separated by 0x01.
            guard !user.isEmpty, user.utf8.allSatisfy({ $0 >= 0x20 }), !token.isEmpty,
                token.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
            else { throw .invalidArgument("the user name or token") }
            let response = "user=\(user)\u{1}auth=Bearer \(token)\u{1}\u{1}"
            return SMTPCommand(.auth, "AUTH XOAUTH2 " + Base64.encode(Array(response.utf8)))
        }
    }

    /// A mailbox as RFC 5321 §4.1.2 has it, without source routes and quoted local parts: one `@`, no space, no
    /// control, no bracket or quote.
    private static func checked(_ address: String) throws(SMTPError) -> String {
        let forbidden = Set("<>\"\\(),:; ".utf8)
        let halves = address.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard address.utf8.count <= 320, halves.count == 2, halves.allSatisfy({ !$0.isEmpty }),
            address.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && !forbidden.contains($0) })
        else { throw .invalidArgument("an address") }
        return address
    }
}

/// RFC 4648 §4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for position in 0..<4 {
                let digit = alphabet[Int(bits >> UInt32(18 - 6 * position) & 63)]
                output.append(position <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// nil for what is not base64; missing padding is forgiven.
    static func decode(_ text: String) -> [UInt8]? {
        var output: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            guard let digit = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 6 | UInt32(digit)
            count += 6
            if count >= 8 {
                count -= 8
                output.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return output
    }
}
