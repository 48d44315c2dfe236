/// Messages that answer one another (RFC 5256 §4).
public struct MessageThread: Sendable, Hashable {
    /// Their uids or numbers, in the order of the thread's tree: what it began with first.
    public var members: [UInt32]

    public init(_ members: [UInt32]) { self.members = members }
}

/// How messages are put into threads.
public enum ThreadAlgorithm: Sendable, Hashable {
    /// By Message-ID, In-Reply-To and References alone, Dovecot's `REFS`.
    case references
    /// Also by subject: `REFERENCES` (RFC 5256 §3).
    case referencesAndSubject
}

extension IMAPCommand where Output == [MessageThread] {
    /// UID THREAD (RFC 5256 §3); needs `THREAD=REFS` or `THREAD=REFERENCES`.
    public static func uidThread(by algorithm: ThreadAlgorithm, _ key: SearchKey) -> Self {
        let request = CommandRequest("UID THREAD ", claims: .thread) { encoder in
            encoder.words(algorithm == .references ? "REFS UTF-8 " : "REFERENCES UTF-8 ")
            key.encode(into: &encoder)
        }
        return Self(request) { responses in
            var threads: [MessageThread] = []
            for case .thread(let some) in responses.untagged { threads += some }
            return threads
        }
    }
}

extension ByteCursor {
    /// `(2)(3 6 (4 23)(44 7 96))` behind THREAD, of any depth (RFC 5256 §4).
    mutating func threads() throws(MalformedResponse) -> [MessageThread] {
        var threads: [MessageThread] = []
        var members: [UInt32] = []
        var depth = 0
        loop: while true {
            switch peek {
            case 0x20: skipSpaces()
            case UInt8(ascii: "("):
                _ = take(UInt8(ascii: "("))
                depth += 1
            case UInt8(ascii: ")"):
                _ = take(UInt8(ascii: ")"))
                depth -= 1
                guard depth >= 0 else { throw MalformedResponse() }
                if depth == 0, !members.isEmpty {
                    threads.append(MessageThread(members))
                    members = []
                }
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard depth > 0 else { throw MalformedResponse() }
                members.append(try number())
            default: break loop
            }
        }
        guard depth == 0, peek == 0x0D || peek == 0x0A else { throw MalformedResponse() }
        return threads
    }
}
