/// Something that happened in a mailbox, as browsers and webhooks hear of it.
///
/// The JSON is the contract's: `{"type", "id", "account", "at", "data"}`; the id orders the events of one account
/// (it is the id of a Redis stream entry) and is what a client hands back to hear what it missed.
public struct MailEvent: Sendable, Equatable {
    /// Orders the events of one account; empty until the event log gave it one.
    public var id: String
    /// The mailbox, by address.
    public let account: String
    /// When it was noticed: milliseconds since 1970 in UTC.
    public let at: Int64
    public let kind: Kind

    public enum Kind: Sendable, Equatable {
        case newMessage(folder: String, message: MessageSummary)
        /// `unseen` and `exists` count messages.
        case folderUpdate(folder: String, unseen: Int, exists: Int)
        case flagsChanged(folder: String, uid: UInt32, flags: [String])
        case messageGone(folder: String, uid: UInt32)
        /// The log no longer reaches back, or the reader was too slow: list again.
        case resync
        /// The session behind this stream was ended.
        case sessionRevoked
    }

    public init(id: String = "", account: String, at: Int64, kind: Kind) {
        self.id = id
        self.account = account
        self.at = at
        self.kind = kind
    }

    public var type: String { kind.type }
}

extension MailEvent.Kind {
    /// The word in the event's `type`.
    public var type: String {
        switch self {
        case .newMessage: "mail.new_message"
        case .folderUpdate: "mail.folder_update"
        case .flagsChanged: "mail.flags_changed"
        case .messageGone: "mail.message_gone"
        case .resync: "mail.resync"
        case .sessionRevoked: "session.revoked"
        }
    }
}

/// What an event tells of a message: enough for a notification.
public struct MessageSummary: Sendable, Equatable, Codable {
    /// RFC 9051 §2.3.1.1
    public let uid: UInt32
    public let fromAddr: String
    public let fromName: String
    public let subject: String
    /// The `Date` header, RFC 3339 in UTC; the arrival where the header is missing or unreadable.
    public let date: String
    /// The beginning of the text, one line, at most 200 characters.
    public let preview: String
    public let flags: [String]

    public init(
        uid: UInt32, fromAddr: String, fromName: String, subject: String, date: String, preview: String,
        flags: [String]
    ) {
        self.uid = uid
        self.fromAddr = fromAddr
        self.fromName = fromName
        self.subject = subject
        self.date = date
        self.preview = preview
        self.flags = flags
    }

    enum CodingKeys: String, CodingKey {
        case uid, subject, date, preview, flags
        case fromAddr = "from_addr"
        case fromName = "from_name"
    }
}
