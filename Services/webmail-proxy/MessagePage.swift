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
    var items: [ListedMessage]

    /// Changes with everything that a page shows: flags, arrivals and removals raise the mod-sequence (RFC 7162 §3.1).
    var entityTag: String? { modSeq.map { "\"\(uidValidity)-\($0)-\(total)\"" } }

    func json() -> [UInt8] {
        var json = JSONWriter(capacity: 1024 + items.count * 1024)
        json.object { json in
            json.field("folder", folder)
            json.field("uid_validity", uidValidity)
            json.field("modseq", modSeq)
            json.field("unseen", unseen)
            json.field("total", total)
            json.field("page", page.page)
            json.field("per_page", page.perPage)
            json.key("items")
            json.array(items) { $1.write(to: &$0) }
        }
        return json.bytes
    }
}

extension MailSession {
    /// One page of a folder; a plain page of the open folder is one round trip.
    func page(of folder: MailboxName, _ request: ListRequest, uidValidity: UInt32?) async throws -> MessagePage {
        let selection = try await select(folder, uidValidity: uidValidity)
        if request.isWindow { return try await window(of: selection, request) }
        let (status, total, messages) = try await search(in: selection, request)
        return MessagePage(
            folder: folder.name, uidValidity: selection.uidValidity, modSeq: status.highestModSeq,
            unseen: status.unseen ?? 0, total: total, page: request.page,
            items: messages.compactMap { ListedMessage($0, uidValidity: selection.uidValidity) })
    }

    private typealias Result = (status: MailboxStatus, total: Int, messages: [FetchedMessage])

    /// A page of what matches, in the order asked for: the server sorts and cuts (RFC 5256, RFC 5267 §4.4).
    private func search(in selection: Selection, _ request: ListRequest) async throws -> Result {
        let first = UInt32(request.page.offset + 1)
        let (_, status, found) = try await connection.pipeline(
            .noop, .page(selection.folder),
            .uidSort(
                by: [request.sortKey], request.searchKey,
                returning: [.count, .partial(first...first + UInt32(request.page.perPage - 1))]))
        let uids = found.matches.numbers(limit: request.page.perPage)
        guard !uids.isEmpty else { return (status, Int(found.count ?? 0), []) }
        let fetched = try await connection.run(.uidFetch(SequenceSet(uids), MessageItem.fetchItems))
        let byUID = Dictionary(fetched.messages.map { ($0.uid ?? 0, $0) }) { first, _ in first }
        return (status, Int(found.count ?? 0), uids.compactMap { byUID[$0] })
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

    var sortKey: SortKey {
        let key: SortKey =
            switch sort {
            case .received: .arrival
            case .date: .date
            case .from: .from
            case .to: .to
            case .subject: .subject
            case .size: .size
            }
        return order == .descending ? .descending(key) : key
    }

    var searchKey: SearchKey {
        var keys: [SearchKey] = []
        if let unseen { keys.append(unseen ? .noFlag(.seen) : .flag(.seen)) }
        if let flagged { keys.append(flagged ? .flag(.flagged) : .noFlag(.flagged)) }
        keys += query?.terms.map(SearchKey.init) ?? []
        return .and(keys)
    }
}

extension SearchKey {
    init(_ term: SearchQuery.Term) {
        self =
            switch term {
            case .words(let text): .or(.subject(text), .or(.from(text), .or(.to(text), .cc(text))))
            case .from(let text): .from(text)
            case .to(let text): .or(.to(text), .cc(text))
            case .subject(let text): .subject(text)
            case .body(let text): .body(text)
            case .before(let day): .before(day)
            case .since(let day): .since(day)
            case .larger(let bytes): .larger(UInt64(bytes))
            case .unread: .noFlag(.seen)
            case .read: .flag(.seen)
            case .flagged: .flag(.flagged)
            }
    }
}
