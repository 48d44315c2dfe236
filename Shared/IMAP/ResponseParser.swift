/// Reads one whole response (RFC 9051 §7, §9) from its bytes. No state, no I/O; it survives any bytes.
///
/// What it does not know, or cannot read, becomes `UntaggedResponse.other`; only a line that is no response at all
/// is an error.
struct ResponseParser: Sendable {
    let limits: IMAPLimits

    init(limits: IMAPLimits = IMAPLimits()) {
        self.limits = limits
    }

    func parse(_ frame: UnsafeRawBufferPointer) throws(IMAPError) -> IMAPResponse {
        var cursor = ByteCursor(frame.assumingMemoryBound(to: UInt8.self), limits: limits)
        do {
            if cursor.take(UInt8(ascii: "+")) {
                cursor.skipSpaces()
                return .continuation(cursor.restOfLine())
            }
            if cursor.take(UInt8(ascii: "*")) {
                try cursor.space()
                return .untagged(untagged(&cursor, frame))
            }
            let tag = try cursor.wordText()
            try cursor.space()
            guard let condition = Self.condition(try cursor.word()) else { throw MalformedResponse() }
            return .tagged(tag, cursor.statusResponse(condition))
        } catch {
            throw .protocolViolation("a line that is no response")
        }
    }

    private func untagged(_ cursor: inout ByteCursor, _ frame: UnsafeRawBufferPointer) -> UntaggedResponse {
        var name: UnsafeBufferPointer<UInt8>?
        do throws(MalformedResponse) {
            if (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(cursor.peek) {
                let number = try cursor.number()
                try cursor.space()
                let word = try cursor.word()
                name = word
                if let response = try numbered(word, number, &cursor) { return response }
            } else {
                let word = try cursor.word()
                name = word
                if let response = try named(word, &cursor) { return response }
            }
        } catch {}
        return .other(name.map(ByteCursor.text)?.uppercased() ?? "", Array(frame.prefix(1024)))
    }

    private func numbered(
        _ word: UnsafeBufferPointer<UInt8>, _ number: UInt32, _ cursor: inout ByteCursor
    ) throws(MalformedResponse) -> UntaggedResponse? {
        if word.equals("FETCH") {
            try cursor.space()
            return .fetch(try cursor.fetchedMessage(number))
        }
        if word.equals("EXISTS") { return .exists(number) }
        if word.equals("EXPUNGE") { return .expunge(number) }
        if word.equals("RECENT") { return .recent(number) }
        return nil
    }

    private func named(
        _ word: UnsafeBufferPointer<UInt8>, _ cursor: inout ByteCursor
    ) throws(MalformedResponse) -> UntaggedResponse? {
        if let condition = Self.condition(word) { return .status(cursor.statusResponse(condition)) }
        if word.equals("SEARCH") { return try cursor.searchNumbers { .search($0, modSeq: $1) } }
        if word.equals("SORT") { return try cursor.searchNumbers { .sort($0, modSeq: $1) } }
        if word.equals("THREAD") { return .thread(try cursor.threads()) }
        if word.equals("CAPABILITY") { return .capability(try cursor.capabilities()) }
        if word.equals("ENABLED") { return .enabled(try cursor.capabilities()) }
        try cursor.space()
        if word.equals("STATUS") { return .mailboxStatus(try cursor.mailboxStatus()) }
        if word.equals("LIST") { return .list(try cursor.listedMailbox()) }
        if word.equals("LSUB") { return .lsub(try cursor.listedMailbox()) }
        if word.equals("ESEARCH") { return .extendedSearch(try cursor.extendedSearch()) }
        if word.equals("VANISHED") { return try cursor.vanished() }
        if word.equals("FLAGS") { return .flags(try cursor.flags()) }
        if word.equals("ID") { return .id(try cursor.idFields()) }
        if word.equals("NAMESPACE") { return .namespace(try cursor.namespaces()) }
        if word.equals("QUOTA") { return .quota(try cursor.quota()) }
        if word.equals("QUOTAROOT") { return try cursor.quotaRoot() }
        return nil
    }

    private static func condition(_ word: UnsafeBufferPointer<UInt8>) -> StatusResponse.Condition? {
        if word.equals("OK") { return .ok }
        if word.equals("NO") { return .no }
        if word.equals("BAD") { return .bad }
        if word.equals("BYE") { return .bye }
        if word.equals("PREAUTH") { return .preauth }
        return nil
    }
}

extension ByteCursor {
    fileprivate mutating func vanished() throws(MalformedResponse) -> UntaggedResponse {
        var earlier = false
        if peek == UInt8(ascii: "(") {
            try list { (cursor) throws(MalformedResponse) in
                if try cursor.word().equals("EARLIER") { earlier = true }
            }
            try space()
        }
        return .vanished(try sequenceSet(), earlier: earlier)
    }

    fileprivate mutating func idFields() throws(MalformedResponse) -> [String: String] {
        var fields: [String: String] = [:]
        try optionalList { (cursor) throws(MalformedResponse) in
            let name = try cursor.optionalString().lowercasedText
            try cursor.space()
            fields[name] = try cursor.optionalText()
        }
        return fields
    }

    mutating func capabilities() throws(MalformedResponse) -> [IMAPCapability] {
        var capabilities: [IMAPCapability] = []
        skipSpaces()
        while let word = try? word() {
            guard capabilities.count < 1000 else { throw MalformedResponse() }
            capabilities.append(IMAPCapability(rawValue: Self.text(word)))
            skipSpaces()
        }
        return capabilities
    }

    mutating func flags() throws(MalformedResponse) -> [MessageFlag] {
        var flags: [MessageFlag] = []
        try list { (cursor) throws(MalformedResponse) in
            flags.append(MessageFlag(try cursor.word()))
        }
        return flags
    }
}

extension MessageFlag {
    /// Without making a string for the flags that nearly all messages have.
    fileprivate init(_ word: UnsafeBufferPointer<UInt8>) {
        if word.equals("\\SEEN") {
            self = .seen
        } else if word.equals("\\ANSWERED") {
            self = .answered
        } else if word.equals("\\FLAGGED") {
            self = .flagged
        } else if word.equals("\\DELETED") {
            self = .deleted
        } else if word.equals("\\DRAFT") {
            self = .draft
        } else if word.equals("\\RECENT") {
            self = .recent
        } else {
            self.init(rawValue: ByteCursor.text(word))
        }
    }
}
