extension ByteCursor {
    /// What follows OK, NO, BAD, BYE and PREAUTH (RFC 9051 §7.1). A code that cannot be read stays in the text.
    mutating func statusResponse(_ condition: StatusResponse.Condition) -> StatusResponse {
        skipSpaces()
        let text = self
        var code: ResponseCode?
        do throws(MalformedResponse) {
            if take(UInt8(ascii: "[")) {
                code = try responseCode()
                try expect(UInt8(ascii: "]"))
                skipSpaces()
            }
        } catch {
            code = nil
            restore(text)
        }
        return StatusResponse(condition: condition, code: code, text: restOfLine())
    }

    private mutating func responseCode() throws(MalformedResponse) -> ResponseCode {
        let name = try word()
        if let code = Self.bare(name) { return code }
        let argument = self
        do throws(MalformedResponse) {
            if take(0x20), let code = try code(name) { return code }
        } catch {}
        restore(argument)
        var text: String?
        if take(0x20) {
            text = Self.text(bytes(before: UInt8(ascii: "]")))
        }
        return .other(Self.text(name).uppercased(), argument: text)
    }

    /// Codes with an argument.
    private mutating func code(_ name: UnsafeBufferPointer<UInt8>) throws(MalformedResponse) -> ResponseCode? {
        if name.equals("UIDVALIDITY") { return .uidValidity(try number()) }
        if name.equals("UIDNEXT") { return .uidNext(try number()) }
        if name.equals("UNSEEN") { return .unseen(try number()) }
        if name.equals("HIGHESTMODSEQ") { return .highestModSeq(try number64()) }
        if name.equals("PERMANENTFLAGS") { return .permanentFlags(try flags()) }
        if name.equals("MODIFIED") { return .modified(try sequenceSet()) }
        if name.equals("CAPABILITY") { return .capability(try capabilities()) }
        if name.equals("COPYUID") {
            let validity = try number()
            try space()
            let source = try sequenceSet()
            try space()
            return .copyUID(
                CopiedMessages(uidValidity: validity, source: source, destination: try sequenceSet()))
        }
        if name.equals("APPENDUID") {
            let validity = try number()
            try space()
            return .appendUID(uidValidity: validity, uids: try sequenceSet())
        }
        if name.equals("MAILBOXID") {
            try expect(UInt8(ascii: "("))
            let id = try wordText()
            try expect(UInt8(ascii: ")"))
            return .mailboxID(id)
        }
        return nil
    }

    private static let bareCodes: [(name: StaticString, code: ResponseCode)] = [
        ("ALERT", .alert), ("READ-ONLY", .readOnly), ("READ-WRITE", .readWrite), ("CLOSED", .closed),
        ("NOMODSEQ", .noModSeq), ("TRYCREATE", .tryCreate), ("ALREADYEXISTS", .alreadyExists),
        ("NONEXISTENT", .nonExistent), ("CANNOT", .cannot), ("INUSE", .inUse), ("LIMIT", .limit),
        ("NOPERM", .noPermission), ("OVERQUOTA", .overQuota), ("AUTHENTICATIONFAILED", .authenticationFailed),
        ("AUTHORIZATIONFAILED", .authorizationFailed), ("EXPIRED", .expired), ("UNAVAILABLE", .unavailable),
        ("PRIVACYREQUIRED", .privacyRequired), ("CLIENTBUG", .clientBug), ("SERVERBUG", .serverBug),
        ("CONTACTADMIN", .contactAdmin), ("CORRUPTION", .corruption), ("EXPUNGEISSUED", .expungeIssued),
        ("NOTIFICATIONOVERFLOW", .notificationOverflow), ("UIDNOTSTICKY", .uidNotSticky),
        ("UNKNOWN-CTE", .unknownCTE), ("TOOBIG", .tooBig),
    ]

    private static func bare(_ name: UnsafeBufferPointer<UInt8>) -> ResponseCode? {
        bareCodes.first { name.equals($0.name) }?.code
    }
}
