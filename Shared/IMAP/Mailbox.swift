/// A mailbox as LIST or LSUB shows it (RFC 9051 §7.3.1).
public struct ListedMailbox: Sendable, Hashable {
    public var name: MailboxName
    /// Nil in a flat hierarchy.
    public var delimiter: Character?
    public var attributes: [MailboxAttribute] = []
    /// Filled in by LIST … RETURN (STATUS …) (RFC 5819).
    public var status: MailboxStatus?
    /// The former name after a RENAME (RFC 5465 §5.4).
    public var oldName: MailboxName?

    public func has(_ attribute: MailboxAttribute) -> Bool { attributes.contains(attribute) }
}

/// An attribute of a mailbox in LIST (RFC 9051 §7.3.1), in small letters.
public struct MailboxAttribute: RawRepresentable, Hashable, Sendable, ExpressibleByStringLiteral {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue.lowercased() }
    public init(stringLiteral value: String) { self.init(rawValue: value) }

    public static let nonExistent: Self = "\\nonexistent"
    public static let noSelect: Self = "\\noselect"
    public static let noInferiors: Self = "\\noinferiors"
    public static let hasChildren: Self = "\\haschildren"
    public static let hasNoChildren: Self = "\\hasnochildren"
    public static let marked: Self = "\\marked"
    public static let unmarked: Self = "\\unmarked"
    public static let subscribed: Self = "\\subscribed"
    public static let remote: Self = "\\remote"
    // Special uses (RFC 6154 §2)
    public static let all: Self = "\\all"
    public static let archive: Self = "\\archive"
    public static let drafts: Self = "\\drafts"
    public static let flagged: Self = "\\flagged"
    public static let junk: Self = "\\junk"
    public static let sent: Self = "\\sent"
    public static let trash: Self = "\\trash"
}

/// What STATUS says of a mailbox (RFC 9051 §7.3.2); nil where not asked for.
public struct MailboxStatus: Sendable, Hashable {
    public var mailbox: MailboxName
    public var messages: UInt32?
    public var recent: UInt32?
    public var unseen: UInt32?
    public var deleted: UInt32?
    public var uidNext: UInt32?
    public var uidValidity: UInt32?
    public var highestModSeq: UInt64?
    /// Bytes.
    public var size: UInt64?
    public var mailboxID: String?

    public init(mailbox: MailboxName) { self.mailbox = mailbox }
}

/// What STATUS can be asked for (RFC 9051 §6.3.11).
public enum StatusItem: String, Sendable, CaseIterable {
    case messages = "MESSAGES"
    case recent = "RECENT"
    case unseen = "UNSEEN"
    case deleted = "DELETED"
    case uidNext = "UIDNEXT"
    case uidValidity = "UIDVALIDITY"
    case highestModSeq = "HIGHESTMODSEQ"
    case size = "SIZE"
    case mailboxID = "MAILBOXID"
}

/// A mailbox just opened by SELECT or EXAMINE (RFC 9051 §6.3.2).
public struct SelectedMailbox: Sendable, Equatable {
    public var exists: UInt32 = 0
    public var flags: [MessageFlag] = []
    public var permanentFlags: [MessageFlag] = []
    public var uidValidity: UInt32 = 0
    public var uidNext: UInt32?
    /// Nil when the mailbox keeps no mod-sequences (RFC 7162 §3.1.2).
    public var highestModSeq: UInt64?
    /// Sequence number of the first unseen message, from servers that tell.
    public var firstUnseen: UInt32?
    public var mailboxID: String?
    public var isReadOnly = false
    /// With QRESYNC: what was expunged and what changed since (RFC 7162 §3.2.5).
    public var vanished = SequenceSet()
    public var changed: [FetchedMessage] = []
}

/// The state a client remembers of a mailbox, for SELECT with QRESYNC (RFC 7162 §3.2.5).
public struct QuickResync: Sendable, Hashable {
    public var uidValidity: UInt32
    public var modSeq: UInt64
    public var knownUIDs: SequenceSet?

    public init(uidValidity: UInt32, modSeq: UInt64, knownUIDs: SequenceSet? = nil) {
        self.uidValidity = uidValidity
        self.modSeq = modSeq
        self.knownUIDs = knownUIDs
    }
}

/// NAMESPACE (RFC 9051 §7.3.5).
public struct MailboxNamespaces: Sendable, Hashable {
    public struct Namespace: Sendable, Hashable {
        public var prefix: MailboxName
        public var delimiter: Character?
    }

    public var personal: [Namespace] = []
    public var otherUsers: [Namespace] = []
    public var shared: [Namespace] = []
}

/// QUOTA (RFC 9208 §5.1).
public struct MailboxQuota: Sendable, Hashable {
    public struct Resource: Sendable, Hashable {
        /// `STORAGE` (units of 1024 bytes), `MESSAGE`, …
        public var name: String
        public var usage: UInt64
        public var limit: UInt64
    }

    public var root: String
    public var resources: [Resource] = []
}
