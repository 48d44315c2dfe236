import HTTPService
import IMAP
import MailModel
import NIOCore

/// A message as a page shows it, already written as JSON.
struct ListedMessage: Sendable {
    /// Boxed, since it is large and goes through many hands.
    final class Structure: Sendable {
        let value: BodyStructure
        init(_ value: BodyStructure) { self.value = value }
    }

    let uid: UInt32
    /// For when the message is opened; nil where the server does not tell.
    let structure: Structure?
    let json: [UInt8]
    /// Where in it what may change stands: the flags, without a comma before or behind them.
    fileprivate let flags: Range<Int>

    /// - Returns: nil when the response lacks what a message must have: it is news of another.
    init?(_ message: FetchedMessage, uidValidity: UInt32, thread: ListedThread? = nil) {
        guard
            var item = MessageItem(
                message, hasAttachments: message.structure?.hasAttachments ?? false, uidValidity: uidValidity)
        else { return nil }
        item.threadID = thread?.id
        uid = item.uid
        structure = message.structure.map { Structure($0) }
        var json = JSONWriter(capacity: 1024), flags = 0..<0
        json.object { json in
            item.writeHead(to: &json)
            // Behind the comma.
            let start = json.bytes.count + 1
            MessageItem.write(item.flags, to: &json)
            flags = start..<json.bytes.count
            item.writeTail(to: &json)
            thread?.writeFields(to: &json)
        }
        self.json = json.bytes
        self.flags = flags
    }
}

/// The messages of a page in its order, as one JSON array.
struct ListedMessages: Sendable {
    private(set) var json = ByteBuffer()
    private var flags: [(uid: UInt32, place: Range<Int>)] = []

    var count: Int { flags.count }

    init(_ messages: some Collection<ListedMessage>) {
        json.reserveCapacity(messages.reduce(2) { $0 + $1.json.count + 1 })
        flags.reserveCapacity(messages.count)
        json.writeInteger(UInt8(ascii: "["))
        for message in messages {
            if !flags.isEmpty { json.writeInteger(UInt8(ascii: ",")) }
            flags.append((message.uid, message.flags.moved(by: json.writerIndex)))
            json.writeBytes(message.json)
        }
        json.writeInteger(UInt8(ascii: "]"))
    }

    /// The same messages, some of them with other flags.
    func with(_ changed: [UInt32: [MessageFlag]]) -> Self {
        var messages = self
        messages.json = ByteBuffer()
        messages.json.reserveCapacity(json.readableBytes + changed.count * 128)
        json.withUnsafeReadableBytes { old in
            var copied = 0
            for (index, (uid, place)) in flags.enumerated() {
                guard let now = changed[uid] else {
                    messages.flags[index].place = place.moved(by: messages.json.writerIndex - copied)
                    continue
                }
                messages.json.writeBytes(UnsafeRawBufferPointer(rebasing: old[copied..<place.lowerBound]))
                copied = place.upperBound
                let start = messages.json.writerIndex
                var members = JSONWriter(capacity: 256)
                MessageItem.write(now.filter { $0 != .recent }, to: &members)
                messages.json.writeBytes(members.bytes)
                messages.flags[index].place = start..<messages.json.writerIndex
            }
            messages.json.writeBytes(UnsafeRawBufferPointer(rebasing: old[copied...]))
        }
        return messages
    }

    /// Keeps the messages where they were written too, instead of in bytes of their own.
    mutating func settle(in whole: ByteBuffer, at start: Int) {
        if let place = whole.getSlice(at: start, length: json.readableBytes) { json = place }
    }
}

extension Range<Int> {
    fileprivate func moved(by distance: Int) -> Self { lowerBound + distance..<upperBound + distance }
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
