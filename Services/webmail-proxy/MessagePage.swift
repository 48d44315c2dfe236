import HTTPService
import IMAP
import MailModel

/// One page of a folder.
struct MessagePage: Sendable {
    let folder: String
    let uidValidity: UInt32
    /// Nil where it was not asked for.
    var uidNext: UInt32?
    var modSeq: UInt64?
    /// Of the whole folder.
    var unseen: UInt32
    /// How many messages match.
    let total: Int
    let page: PageRequest
    var messages: ListedMessages

    /// Changes with everything that a page shows: flags, arrivals and removals raise the mod-sequence (RFC 7162 §3.1).
    func entityTag(of account: String) -> String? {
        modSeq.map { "\"\(EntityTag.place(account, folder))-\(uidValidity)-\($0)-\(total)\"" }
    }

    func json() -> [UInt8] {
        var json = JSONWriter(capacity: 1024 + messages.json.count)
        json.object { json in
            json.field("folder", folder)
            json.field("uid_validity", uidValidity)
            json.field("uid_next", uidNext)
            json.field("modseq", modSeq)
            json.field("unseen", unseen)
            json.field("total", total)
            json.field("page", page.page)
            json.field("per_page", page.perPage)
            json.key("items")
            json.written(messages.json[...])
        }
        return json.bytes
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
