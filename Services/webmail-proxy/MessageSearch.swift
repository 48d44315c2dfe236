import IMAP
import MailModel

extension MailSession {
    /// A page of what matches, in the order asked for: the server sorts and cuts (RFC 5256, RFC 5267 §4.4).
    func search(in selection: Selection, _ request: ListRequest) async throws -> MessagePage {
        guard request.sort != .received, !request.isThreaded, request.hasAttachments == nil else {
            return try await choose(from: selection, request)
        }
        let first = UInt32(request.page.offset + 1)
        let (status, found, _) = try await connection.pipeline(
            .page(selection.folder),
            .uidSort(
                by: [request.sortKey], request.searchKey,
                returning: [.count, .partial(first...first + UInt32(request.page.perPage - 1))]), .noop)
        let uids = found.matches.numbers(limit: request.page.perPage)
        return try await page(of: uids, total: Int(found.count ?? 0), selection, status, request)
    }

    /// A page of what the server cannot cut: it tells all that match, and the page is taken from among them.
    private func choose(from selection: Selection, _ request: ListRequest) async throws -> MessagePage {
        let status: MailboxStatus, found: SearchResult
        var threads: [MessageThread]?
        // In the order of arrival in the folder, that of the uids, like a page without a filter: INTERNALDATE is known to
        // the second only, and may be older than the arrival.
        let all: IMAPCommand<SearchResult> =
            request.sort == .received
            ? .uidSearch(request.searchKey, returning: [.all]) : .uidSort(by: [request.sortKey], request.searchKey)
        if request.isThreaded {
            (status, found, threads, _) = try await connection.pipeline(
                .page(selection.folder), all, .uidThread(by: .references, request.searchKey), .noop)
        } else {
            (status, found, _) = try await connection.pipeline(.page(selection.folder), all, .noop)
        }
        var uids = found.matches.numbers(limit: Self.maximumMatches)
        if request.sort == .received, request.order == .descending { uids.reverse() }
        if let wanted = request.hasAttachments {
            let with = try await messagesWithAttachments(among: uids, in: selection)
            uids.removeAll { with.contains($0) != wanted }
        }
        let groups = threads.map { ThreadGroups($0, among: uids) }
        if let groups { uids.removeAll { groups.members(ledBy: $0) == nil } }
        let shown = Array(uids.dropFirst(request.page.offset).prefix(request.page.perPage))
        return try await page(of: shown, total: uids.count, selection, status, request, groups)
    }

    /// As many messages of a folder as a page is taken from.
    private static let maximumMatches = 2_000_000

    private func page(
        of uids: [UInt32], total: Int, _ selection: Selection, _ status: MailboxStatus, _ request: ListRequest,
        _ groups: ThreadGroups? = nil
    ) async throws -> MessagePage {
        let messages = uids.isEmpty ? [] : try await fetch(uids, groups)
        let byUID = Dictionary(
            messages.filter { $0.envelope != nil && $0.structure != nil }.map { ($0.uid ?? 0, $0) }
        ) { first, _ in first }
        let roots = Dictionary(messages.map { ($0.uid ?? 0, $0) }) { first, other in
            first.sections.isEmpty ? other : first
        }
        let items = uids.compactMap { uid -> ListedMessage? in
            guard let message = byUID[uid] else { return nil }
            guard let members = groups?.members(ledBy: uid) else {
                return ListedMessage(message, uidValidity: selection.uidValidity)
            }
            let id = roots[members[0]].flatMap(ThreadID.of) ?? "\(selection.uidValidity)-\(members[0])"
            return ListedMessage(
                message, uidValidity: selection.uidValidity, thread: ListedThread(id: id, uids: members.sorted()))
        }
        return MessagePage(
            folder: selection.folder.name, uidValidity: selection.uidValidity, uidNext: status.uidNext,
            modSeq: status.highestModSeq, unseen: status.unseen ?? 0, total: total, page: request.page,
            messages: ListedMessages(items))
    }

    private func fetch(_ uids: [UInt32], _ groups: ThreadGroups?) async throws -> [FetchedMessage] {
        guard let groups else {
            return try await connection.run(.uidFetch(SequenceSet(uids), MessageItem.fetchItems)).messages
        }
        let roots = uids.compactMap { groups.members(ledBy: $0)?.first }
        let (shown, named) = try await connection.pipeline(
            .uidFetch(SequenceSet(uids), MessageItem.fetchItems),
            .uidFetch(SequenceSet(roots), [.uid, .envelope, ThreadID.references]))
        return shown.messages + named.messages
    }
}

/// The messages of a folder by thread.
struct ThreadGroups {
    private var groups: [UInt32: [UInt32]] = [:]

    /// - Parameter uids: Which messages count.
    init(_ threads: [MessageThread], among uids: [UInt32]) {
        let wanted = Set(uids)
        for thread in threads {
            let members = thread.members.filter(wanted.contains)
            // The newest leads: the one that came into the folder last.
            if let newest = members.max() { groups[newest] = members }
        }
    }

    /// The thread that a message leads, the message it began with first; nil when it leads none.
    func members(ledBy uid: UInt32) -> [UInt32]? { groups[uid] }
}

/// Which thread a message belongs to, by the message it began with.
enum ThreadID {
    static let references = FetchItem.body(MessageSection(text: .headerFields(["References"])))

    /// - Parameter root: The first message of the thread that is there.
    static func of(_ root: FetchedMessage) -> String? {
        let header = root.bytes(of: MessageSection(text: .headerFields(["References"]))) ?? []
        let first = messageIDs(header).first ?? root.envelope?.inReplyTo.flatMap { messageIDs(Array($0.utf8)).first }
        return (first ?? root.envelope?.messageID).map { of($0) }
    }

    /// - Parameter messageID: Of the message the thread began with, with angle brackets.
    static func of(_ messageID: String) -> String { EntityTag.hash(Array(messageID.utf8)) }

    private static func messageIDs(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: UInt8(ascii: "<"), omittingEmptySubsequences: false).dropFirst().compactMap { piece in
            piece.firstIndex(of: UInt8(ascii: ">")).map { end in
                "<" + String(decoding: piece[..<end].filter { $0 > 0x20 }, as: UTF8.self) + ">"
            }
        }
    }
}

extension ListRequest {
    /// For the order of arrival, which needs no sorting, the nearest that there is.
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

    /// What the server can search for; attachments are none of it.
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
            case .cc(let text): .cc(text)
            case .bcc(let text): .bcc(text)
            case .subject(let text): .subject(text)
            case .body(let text): .body(text)
            case .before(let day): .before(day)
            case .since(let day): .since(day)
            case .on(let day): .on(day)
            case .larger(let bytes): .larger(UInt64(bytes))
            case .smaller(let bytes): .smaller(UInt64(bytes))
            case .flag(let flag): .flag(flag)
            case .not(.flag(let flag)): .noFlag(flag)
            case .not(let term): .not(SearchKey(term))
            case .or(let one, let other): .or(SearchKey(one), SearchKey(other))
            // Chosen among what the server finds.
            case .attachment: .all
            }
    }
}
