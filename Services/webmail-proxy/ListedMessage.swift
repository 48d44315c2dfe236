import HTTPService
import IMAP
import MailModel

/// A message as a page shows it, already written as JSON but for what may change: its flags.
struct ListedMessage: Sendable {
    let uid: UInt32
    var flags: [MessageFlag]
    /// For when the message is opened; nil where the server does not tell, and in a page that is kept.
    private(set) var structure: BodyStructure?
    /// The object's members before the flags, and after them from `tail` on.
    let json: [UInt8]
    private let tail: Int
    /// The thread that it stands for.
    private let thread: ListedThread?

    /// - Returns: nil when the response lacks what a message must have: it is news of another.
    init?(_ message: FetchedMessage, uidValidity: UInt32, thread: ListedThread? = nil) {
        structure = message.structure
        guard
            var item = MessageItem(
                message, hasAttachments: structure?.hasAttachments ?? false, uidValidity: uidValidity)
        else { return nil }
        item.threadID = thread?.id
        self.thread = thread
        uid = item.uid
        flags = item.flags
        var json = JSONWriter(capacity: 1024)
        json.members { item.writeHead(to: &$0) }
        tail = json.bytes.count
        json.members { item.writeTail(to: &$0) }
        self.json = json.bytes
    }

    /// Without what only opening it needs.
    var withoutStructure: Self {
        var copy = self
        copy.structure = nil
        return copy
    }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.members(self.json[..<tail])
            MessageItem.write(flags, to: &json)
            json.members(self.json[tail...])
            thread?.writeFields(to: &json)
        }
    }
}

/// The thread that a message stands for.
struct ListedThread: Sendable {
    /// As many of its messages as are named.
    private static let maximumUIDs = 500

    let id: String
    /// All of its messages that match, the oldest first.
    let uids: [UInt32]

    fileprivate func writeFields(to json: inout JSONWriter) {
        json.field("thread_count", uids.count)
        json.key("thread_uids")
        json.array(uids.suffix(Self.maximumUIDs)) { $0.value($1) }
    }
}
