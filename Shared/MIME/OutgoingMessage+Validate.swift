extension OutgoingMessage {
    /// What the composer writes itself, and what a client must not set.
    private static let reservedHeaders: Set<String> = [
        "from", "sender", "reply-to", "to", "cc", "bcc", "resent-bcc", "subject", "date", "message-id", "in-reply-to",
        "references", "mime-version", "return-path", "received", "dkim-signature", "authentication-results",
    ]

    func validate() throws(MIMEError) {
        for (name, addresses) in [("From", [from]), ("Reply-To", replyTo), ("To", to), ("Cc", cc), ("Bcc", bcc)] {
            for address in addresses {
                guard Self.isAddress(address.address), Self.isHeaderText(address.name) else {
                    throw .invalidAddress(header: name)
                }
            }
        }
        guard Self.isHeaderText(subject) else { throw .invalidHeader("Subject") }
        guard Self.isMessageID(messageID) else { throw .invalidHeader("Message-ID") }
        guard inReplyTo.map(Self.isMessageID) ?? true else { throw .invalidHeader("In-Reply-To") }
        guard references.allSatisfy(Self.isMessageID) else { throw .invalidHeader("References") }
        for header in headers {
            let name = header.name.lowercased()
            guard Self.isHeaderName(header.name), Self.isHeaderText(header.value), !name.hasPrefix("content-"),
                !Self.reservedHeaders.contains(name)
            else { throw .invalidHeader(Self.isHeaderName(header.name) ? header.name : "with an invalid name") }
        }
        for attachment in attachments {
            guard Self.isHeaderText(attachment.filename) else { throw .invalidHeader("Content-Disposition") }
            guard attachment.contentID.map(Self.isMessageID) ?? true else { throw .invalidHeader("Content-ID") }
        }
    }

    /// No control character but the tab: nothing that could end a header line.
    private static func isHeaderText(_ text: String) -> Bool {
        text.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
    }

    /// RFC 5322 §2.2: printable ASCII but the colon.
    private static func isHeaderName(_ name: String) -> Bool {
        (1...76).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x3a }
    }

    /// `local@domain` of dot-atoms; quoted local parts and address literals are not sent.
    private static func isAddress(_ text: String) -> Bool {
        let halves = text.split(separator: "@", omittingEmptySubsequences: false)
        let forbidden = Set("<>()[],;:\\\" ".utf8)
        return halves.count == 2 && halves.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !forbidden.contains($0) }
    }

    private static func isMessageID(_ text: String) -> Bool {
        let id = bare(text)
        return (1...900).contains(id.utf8.count)
            && id.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x3c && $0 != 0x3e }
    }

    /// Without the angle brackets that a caller may have left on.
    static func bare(_ id: String) -> String {
        id.hasPrefix("<") && id.hasSuffix(">") ? String(id.dropFirst().dropLast()) : id
    }

    /// Two tokens (RFC 2045 §5.1); a multipart, which could not be made whole again, and whatever is malformed are
    /// sent as bytes.
    static func mediaType(_ text: String) -> (type: String, subtype: String) {
        let halves = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let marks = Set("!#$&^_.+-".utf8)
        let areTokens =
            halves.count == 2
            && halves.allSatisfy { half in
                (1...100).contains(half.utf8.count)
                    && half.utf8.allSatisfy {
                        (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || marks.contains($0)
                    }
            }
        guard areTokens, halves[0] != "multipart", halves[0] != "message" || halves[1] == "rfc822" else {
            return ("application", "octet-stream")
        }
        return (halves[0], halves[1])
    }
}
