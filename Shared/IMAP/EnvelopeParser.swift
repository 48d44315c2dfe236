extension ByteCursor {
    /// ENVELOPE (RFC 9051 §7.5.2): ten fields in parentheses.
    mutating func envelope() throws(MalformedResponse) -> MessageEnvelope {
        var envelope = MessageEnvelope()
        try expect(UInt8(ascii: "("))
        envelope.date = try optionalText()
        try space()
        envelope.subject = try optionalText()
        try space()
        let fromStart = next
        envelope.from = try addresses()
        let from = UnsafeBufferPointer(start: fromStart, count: next - fromStart)
        try space()
        envelope.sender = try addresses(likely: envelope.from, from)
        try space()
        envelope.replyTo = try addresses(likely: envelope.from, from)
        try space()
        envelope.to = try addresses()
        try space()
        envelope.cc = try addresses()
        try space()
        envelope.bcc = try addresses()
        try space()
        envelope.inReplyTo = try optionalText()
        try space()
        envelope.messageID = try optionalText()
        try expect(UInt8(ascii: ")"))
        return envelope
    }

    /// Sender and Reply-To mostly repeat From to the byte: then nothing is parsed or allocated again.
    private mutating func addresses(
        likely known: [EnvelopeAddress], _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(MalformedResponse) -> [EnvelopeAddress] {
        if pass(bytes) { return known }
        return try addresses()
    }

    private mutating func addresses() throws(MalformedResponse) -> [EnvelopeAddress] {
        var addresses: [EnvelopeAddress] = []
        try optionalList { (cursor) throws(MalformedResponse) in
            try cursor.expect(UInt8(ascii: "("))
            let name = try cursor.optionalText()
            try cursor.space()
            // The source route, which nobody uses any more
            _ = try cursor.optionalString()
            try cursor.space()
            let mailbox = try cursor.optionalText()
            try cursor.space()
            addresses.append(EnvelopeAddress(name: name, mailbox: mailbox, host: try cursor.optionalText()))
            try cursor.expect(UInt8(ascii: ")"))
        }
        return addresses
    }
}
