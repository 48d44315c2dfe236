import HTTPService
import IMAP
import MailModel
import NIOCore

/// One page of a folder, and the JSON that tells of it: written once, however often it is shown.
struct MessagePage: Sendable {
    let folder: String
    let uidValidity: UInt32
    /// Nil where it was not asked for.
    let uidNext: UInt32?
    let modSeq: UInt64?
    /// Of the whole folder.
    let unseen: UInt32
    /// How many messages match.
    let total: Int
    let page: PageRequest
    private(set) var messages: ListedMessages
    private(set) var json = ByteBuffer()

    init(
        folder: String, uidValidity: UInt32, uidNext: UInt32?, modSeq: UInt64?, unseen: UInt32, total: Int,
        page: PageRequest, messages: ListedMessages
    ) {
        self.folder = folder
        self.uidValidity = uidValidity
        self.uidNext = uidNext
        self.modSeq = modSeq
        self.unseen = unseen
        self.total = total
        self.page = page
        self.messages = messages
        write()
    }

    /// Changes with everything that a page shows: flags, arrivals and removals raise the mod-sequence (RFC 7162 §3.1).
    func entityTag(of account: String) -> String? {
        modSeq.map { "\"\(EntityTag.place(account, folder))-\(uidValidity)-\($0)-\(total)\"" }
    }

    /// The page at a later mod-sequence, when some of its messages have other flags.
    func with(_ flags: [UInt32: [MessageFlag]], modSeq: UInt64?, unseen: UInt32) -> MessagePage {
        if flags.isEmpty, modSeq == self.modSeq, unseen == self.unseen { return self }
        return MessagePage(
            folder: folder, uidValidity: uidValidity, uidNext: uidNext, modSeq: modSeq, unseen: unseen, total: total,
            page: page, messages: flags.isEmpty ? messages : messages.with(flags))
    }

    private mutating func write() {
        var head = JSONWriter(capacity: 512)
        head.members { head in
            head.field("folder", folder)
            head.field("uid_validity", uidValidity)
            head.field("uid_next", uidNext)
            head.field("modseq", modSeq)
            head.field("unseen", unseen)
            head.field("total", total)
            head.field("page", page.page)
            head.field("per_page", page.perPage)
            head.key("items")
        }
        json.reserveCapacity(head.bytes.count + messages.json.readableBytes + 2)
        json.writeInteger(UInt8(ascii: "{"))
        json.writeBytes(head.bytes)
        let start = json.writerIndex
        json.writeImmutableBuffer(messages.json)
        json.writeInteger(UInt8(ascii: "}"))
        messages.settle(in: json, at: start)
    }
}

extension MailSession {
    /// One page of a folder; a plain page of the open folder is one round trip.
    func page(of folder: MailboxName, _ request: ListRequest, uidValidity: UInt32?) async throws -> MessagePage {
        let selection = try await select(folder, uidValidity: uidValidity)
        return request.isWindow
            ? try await window(of: selection, request) : try await search(in: selection, request)
    }
}

extension ListRequest {
    /// The sequence numbers of the page in a folder of so many messages; nil for a page past the end.
    func numbers(of exists: UInt32) -> ClosedRange<UInt32>? {
        let exists = Int(exists)
        guard page.offset < exists else { return nil }
        let last = min(page.offset + page.perPage, exists)
        return order == .ascending
            ? UInt32(page.offset + 1)...UInt32(last) : UInt32(exists - last + 1)...UInt32(exists - page.offset)
    }
}
