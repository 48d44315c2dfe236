import NIOConcurrencyHelpers

/// Messages fetched, and with VANISHED the UIDs that are gone.
public struct FetchedMessages: Sendable, Equatable {
    /// In the server's order. Changes by others to messages not asked for may be among them.
    public var messages: [FetchedMessage] = []
    public var vanished = SequenceSet()
}

/// What STORE did.
public struct StoredFlags: Sendable, Equatable {
    /// The new flags, unless silent.
    public var messages: [FetchedMessage] = []
    /// With `unchangedSince`: messages left alone, since they had changed (RFC 7162 §3.1.3).
    public var modified = SequenceSet()
}

/// Where APPEND put a message (RFC 9051 §6.3.12).
public struct AppendedMessage: Sendable, Hashable {
    public var uidValidity: UInt32
    public var uid: UInt32
}

extension IMAPCommand where Output == FetchedMessages {
    /// UID FETCH (RFC 9051 §6.4.9).
    /// - Parameters:
    ///   - changedSince: only messages with a greater mod-sequence (RFC 7162 §3.1.4.1).
    ///   - vanished: also the UIDs expunged since; QRESYNC must have been enabled (RFC 7162 §3.2.6).
    public static func uidFetch(
        _ uids: SequenceSet, _ items: [FetchItem], changedSince: UInt64? = nil, vanished: Bool = false
    ) -> Self {
        fetch("UID FETCH ", [.uidFetch, .vanishedEarlier], uids, items, changedSince, vanished)
    }

    /// FETCH by message sequence number (RFC 9051 §6.4.5). Where the UID is among the items, responses without one are
    /// news of changes by others, and events.
    public static func fetch(_ numbers: SequenceSet, _ items: [FetchItem], changedSince: UInt64? = nil) -> Self {
        fetch("FETCH ", items.contains(.uid) ? .uidFetch : .fetch, numbers, items, changedSince, false)
    }

    private static func fetch(
        _ word: StaticString, _ claims: ResponseClaims, _ set: SequenceSet, _ items: [FetchItem],
        _ changedSince: UInt64?, _ vanished: Bool
    ) -> Self {
        let request = CommandRequest(fetch: word, claims, set, items, changedSince, vanished)
        return Self(request) { responses in
            var result = FetchedMessages()
            for response in responses.untagged {
                if case .fetch(let message) = response { result.messages.append(message) }
                if case .vanished(let uids, _) = response { uids.ranges.forEach { result.vanished.append($0) } }
            }
            return result
        }
    }
}

extension IMAPCommand {
    /// FETCH by message sequence number, each message made into a value as it comes: while the server writes the next
    /// one, and without ever holding all of them.
    ///
    /// - Parameters:
    ///   - items: With the UID; responses without one are events.
    ///   - each: Called on the connection's own thread, so it must be short; nil drops the message.
    /// - Returns: A command to be run once: it holds the values until it is answered.
    public static func fetch<Value: Sendable>(
        _ numbers: SequenceSet, _ items: [FetchItem], each: @escaping @Sendable (FetchedMessage) -> Value?
    ) -> Self where Output == [Value] {
        var request = CommandRequest(fetch: "FETCH ", .uidFetch, numbers, items, nil, false)
        let values = NIOLockedValueBox<[Value]>([])
        request.digest = { message in
            guard let value = each(message) else { return false }
            values.withLockedValue { $0.append(value) }
            return true
        }
        return Self(request) { _ in
            values.withLockedValue { values in
                defer { values = [] }
                return values
            }
        }
    }
}

extension CommandRequest {
    fileprivate init(
        fetch word: StaticString, _ claims: ResponseClaims, _ set: SequenceSet, _ items: [FetchItem],
        _ changedSince: UInt64?, _ vanished: Bool
    ) {
        self.init(word, claims: claims) { encoder in
            encoder.set(set)
            encoder.words(" ")
            if items.isEmpty { encoder.reject("no items to fetch") }
            encoder.list(items) { $1.encode(into: &$0) }
            if let changedSince {
                encoder.words(" (CHANGEDSINCE ")
                encoder.number(changedSince)
                encoder.words(vanished ? " VANISHED)" : ")")
            }
        }
    }
}

/// How STORE changes flags (RFC 9051 §6.4.6).
public enum FlagChange: Sendable, Hashable {
    case add([MessageFlag])
    case remove([MessageFlag])
    case replace([MessageFlag])
}

extension IMAPCommand where Output == StoredFlags {
    /// UID STORE (RFC 9051 §6.4.9).
    /// - Parameters:
    ///   - silent: do not have the new flags told.
    ///   - unchangedSince: leave messages with a greater mod-sequence alone (RFC 7162 §3.1.3).
    public static func uidStore(
        _ uids: SequenceSet, _ change: FlagChange, silent: Bool = false, unchangedSince: UInt64? = nil
    ) -> Self {
        let request = CommandRequest("UID STORE ", claims: .uidFetch) { encoder in
            encoder.set(uids)
            if let unchangedSince {
                encoder.words(" (UNCHANGEDSINCE ")
                encoder.number(unchangedSince)
                encoder.words(")")
            }
            let flags: [MessageFlag]
            switch change {
            case .add(let added):
                encoder.words(" +FLAGS")
                flags = added
            case .remove(let removed):
                encoder.words(" -FLAGS")
                flags = removed
            case .replace(let all):
                encoder.words(" FLAGS")
                flags = all
            }
            encoder.words(silent ? ".SILENT " : " ")
            encoder.list(flags) { $0.atom($1.rawValue) }
        }
        return Self(request) { responses in
            var result = StoredFlags()
            for case .fetch(let message) in responses.untagged { result.messages.append(message) }
            if case .modified(let uids) = responses.status.code { result.modified = uids }
            return result
        }
    }
}

extension IMAPCommand where Output == CopiedMessages? {
    /// UID COPY (RFC 9051 §6.4.7); nil from servers without UIDPLUS, or when there was nothing to copy.
    public static func uidCopy(_ uids: SequenceSet, to mailbox: MailboxName) -> Self {
        transfer("UID COPY ", uids, mailbox)
    }

    /// UID MOVE (RFC 9051 §6.4.8); needs `.move`. The expunges of the source are delivered as events.
    public static func uidMove(_ uids: SequenceSet, to mailbox: MailboxName) -> Self {
        transfer("UID MOVE ", uids, mailbox)
    }

    private static func transfer(_ word: StaticString, _ uids: SequenceSet, _ mailbox: MailboxName) -> Self {
        let request = CommandRequest(word, claims: .statusCodes) { encoder in
            encoder.set(uids)
            encoder.words(" ")
            encoder.mailbox(mailbox)
        }
        return Self(request) { responses in
            if case .copyUID(let copied) = responses.status.code { return copied }
            for case .status(let status) in responses.untagged {
                if case .copyUID(let copied) = status.code { return copied }
            }
            return nil
        }
    }
}

extension IMAPCommand where Output == Void {
    /// EXPUNGE: remove all messages marked `\Deleted` (RFC 9051 §6.4.3). Delivered as events.
    public static var expunge: Self { Self(CommandRequest("EXPUNGE")) }

    /// UID EXPUNGE: remove those of these that are marked `\Deleted` (RFC 9051 §6.4.9). Delivered as events.
    public static func uidExpunge(_ uids: SequenceSet) -> Self {
        Self(CommandRequest("UID EXPUNGE ") { $0.set(uids) })
    }
}

extension IMAPCommand where Output == AppendedMessage? {
    /// APPEND one message, lines ended by CRLF (RFC 9051 §6.3.12). Nil from servers without UIDPLUS.
    public static func append(
        _ message: [UInt8], to mailbox: MailboxName, flags: [MessageFlag] = [], date: InternalDate? = nil
    ) -> Self {
        let request = CommandRequest("APPEND ") { encoder in
            encoder.mailbox(mailbox)
            encoder.words(" ")
            if !flags.isEmpty {
                encoder.list(flags) { $0.atom($1.rawValue) }
                encoder.words(" ")
            }
            if let date {
                encoder.quoted(date: date)
                encoder.words(" ")
            }
            encoder.literal(message, mayBeBinary: true)
        }
        return Self(request) { responses in
            guard case .appendUID(let validity, let uids) = responses.status.code,
                let uid = uids.ranges.first?.lowerBound
            else { return nil }
            return AppendedMessage(uidValidity: validity, uid: uid)
        }
    }
}

/// What FETCH asks for (RFC 9051 §6.4.5).
public enum FetchItem: Sendable, Hashable {
    case uid
    case flags
    case internalDate
    /// RFC822.SIZE
    case size
    case envelope
    case bodyStructure
    case modSeq
    /// PREVIEW; lazy: only if the server has it at hand (RFC 8970).
    case preview(lazy: Bool = false)
    /// `BODY.PEEK[…]`, or `BODY[…]`, which sets `\Seen`. `bytes`: only these, by offset.
    case body(MessageSection, bytes: Range<UInt64>? = nil, settingSeen: Bool = false)
    /// `BINARY.PEEK[…]`: a part without its transfer encoding (RFC 3516).
    case binary(part: [Int], bytes: Range<UInt64>? = nil)
    /// `BINARY.SIZE[…]`
    case binarySize(part: [Int])
    /// X-GUID, of Dovecot.
    case guid
    case emailID
    case threadID
    case saveDate

    func encode(into encoder: inout CommandEncoder) {
        switch self {
        case .uid: encoder.words("UID")
        case .flags: encoder.words("FLAGS")
        case .internalDate: encoder.words("INTERNALDATE")
        case .size: encoder.words("RFC822.SIZE")
        case .envelope: encoder.words("ENVELOPE")
        case .bodyStructure: encoder.words("BODYSTRUCTURE")
        case .modSeq: encoder.words("MODSEQ")
        case .preview(let lazy): encoder.words(lazy ? "PREVIEW (LAZY)" : "PREVIEW")
        case .guid: encoder.words("X-GUID")
        case .emailID: encoder.words("EMAILID")
        case .threadID: encoder.words("THREADID")
        case .saveDate: encoder.words("SAVEDATE")
        case .body(let section, let bytes, let settingSeen):
            encoder.words(settingSeen ? "BODY[" : "BODY.PEEK[")
            encoder.section(section)
            encoder.words("]")
            encoder.partial(bytes)
        case .binary(let part, let bytes):
            encoder.words("BINARY.PEEK[")
            encoder.section(.part(part))
            encoder.words("]")
            encoder.partial(bytes)
        case .binarySize(let part):
            encoder.words("BINARY.SIZE[")
            encoder.section(.part(part))
            encoder.words("]")
        }
    }
}

extension CommandEncoder {
    fileprivate mutating func section(_ section: MessageSection) {
        for (index, number) in section.part.enumerated() {
            if number < 1 { reject("a part number below 1") }
            if index > 0 { words(".") }
            self.number(number)
        }
        if !section.part.isEmpty && section.text != .all { words(".") }
        switch section.text {
        case .all: break
        case .header: words("HEADER")
        case .text: words("TEXT")
        case .mime: words("MIME")
        case .headerFields(let names):
            words("HEADER.FIELDS ")
            list(names) { $0.string($1) }
        case .headerFieldsNot(let names):
            words("HEADER.FIELDS.NOT ")
            list(names) { $0.string($1) }
        }
    }

    fileprivate mutating func partial(_ bytes: Range<UInt64>?) {
        guard let bytes else { return }
        if bytes.isEmpty { reject("an empty range of bytes") }
        words("<")
        number(bytes.lowerBound)
        words(".")
        number(UInt64(bytes.count))
        words(">")
    }
}
