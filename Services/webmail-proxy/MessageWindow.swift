import IMAP
import MailModel

/// Which window of a folder a page is.
struct PageKey: Hashable, Sendable {
    let page: Int
    let perPage: Int
    let order: ListRequest.Order

    init(_ request: ListRequest) {
        page = request.page.page
        perPage = request.page.perPage
        order = request.order
    }
}

extension MailSession {
    /// A window of the folder in the order of arrival, by sequence numbers, which are counted from how many messages it
    /// held when last heard of.
    ///
    /// One round trip: a page that was shown before is brought up to date, another fetched. When the server tells behind
    /// its answer that the folder has changed, the window is looked at once more. Where nothing was done since a window
    /// was shown, the server is only asked for news.
    func window(of selection: Selection, _ request: ListRequest) async throws -> MessagePage {
        let folder = FolderCache.Folder(
            account: account, name: selection.folder, uidValidity: selection.uidValidity)
        let key = PageKey(request)
        if let shown = cache.page(key, of: folder), let modSeq = shown.modSeq, isCalm(at: modSeq) {
            try await connection.run(.noop)
            if !hearNews() {
                noteCalm(at: modSeq)
                return shown
            }
        }
        var last: MessagePage?
        for _ in 0..<4 {
            let exists = self.selection?.exists ?? selection.exists
            let shown = cache.page(key, of: folder)
            let page: MessagePage?
            if let shown, shown.total == Int(exists), let modSeq = shown.modSeq {
                page = try await broughtUpToDate(shown, modSeq, selection, request)
            } else {
                page = try await fetched(exists, selection, request, in: folder)
            }
            let hasChanged = hearNews()
            if let page {
                if page.modSeq != nil, page.modSeq != shown?.modSeq || page.total != shown?.total {
                    cache.keep(page, as: key, of: folder)
                }
                if !hasChanged {
                    noteCalm(at: page.modSeq)
                    return page
                }
                last = page
            } else if let shown {
                cache.drop(shown, key, of: folder)
            }
        }
        // It changes faster than it can be looked at.
        if let last { return last }
        throw Failure(
            .unavailable, code: "folder_busy", "The folder changes too fast to be listed; try again.",
            retryAfter: .seconds(1))
    }

    /// The page as it is now, if the folder still holds the same messages: then only flags can have changed, and what
    /// changed has a mod-sequence above the page's (RFC 7162 §3.1.4.1).
    ///
    /// Every arrival raises UIDNEXT and every removal lowers the count, so both unchanged means the same messages.
    private func broughtUpToDate(
        _ page: MessagePage, _ modSeq: UInt64, _ selection: Selection, _ request: ListRequest
    ) async throws -> MessagePage? {
        let numbers = request.numbers(of: UInt32(page.total))
        let status: MailboxStatus
        var changed: [FetchedMessage] = []
        do {
            if let numbers {
                let fetch = IMAPCommand.fetch(SequenceSet(numbers), [.uid, .flags], changedSince: modSeq)
                let fetched: FetchedMessages
                (status, fetched, _) = try await connection.pipeline(.page(selection.folder), fetch, .noop)
                changed = fetched.messages
            } else {
                status = try await connection.pipeline(.page(selection.folder), .noop).0
            }
        } catch IMAPError.bad {
            // The folder has shrunk, so that the numbers are no longer good.
            return nil
        }
        noteExists(status.messages ?? UInt32(page.total))
        guard status.messages == UInt32(page.total), status.uidNext == page.uidNext,
            status.uidValidity == page.uidValidity
        else { return nil }
        var flags: [UInt32: [MessageFlag]] = [:]
        for message in changed { if let uid = message.uid, let now = message.flags { flags[uid] = now } }
        return page.with(flags, modSeq: status.highestModSeq, unseen: status.unseen ?? page.unseen)
    }

    /// - Parameter exists: How many messages the folder is thought to hold.
    /// - Returns: nil when it holds another number by now.
    private func fetched(
        _ exists: UInt32, _ selection: Selection, _ request: ListRequest, in folder: FolderCache.Folder
    ) async throws -> MessagePage? {
        let status: MailboxStatus
        var messages: [ListedMessage] = []
        do {
            if let numbers = request.numbers(of: exists) {
                let fetch = IMAPCommand.fetch(SequenceSet(numbers), MessageItem.fetchItems) {
                    [uidValidity = selection.uidValidity] in ListedMessage($0, uidValidity: uidValidity)
                }
                (status, messages, _) = try await connection.pipeline(.page(selection.folder), fetch, .noop)
            } else {
                status = try await connection.pipeline(.page(selection.folder), .noop).0
            }
        } catch IMAPError.bad {
            noteExists(try await connection.pipeline(.noop, .page(selection.folder)).1.messages ?? 0)
            return nil
        }
        let current = status.messages ?? exists
        noteExists(current)
        guard current == exists else { return nil }
        let page = MessagePage(
            folder: selection.folder.name, uidValidity: selection.uidValidity, uidNext: status.uidNext,
            modSeq: status.highestModSeq, unseen: status.unseen ?? 0, total: Int(exists), page: request.page,
            messages: request.order == .descending ? ListedMessages(messages.reversed()) : ListedMessages(messages))
        cache.keep(messages, of: folder)
        return page
    }
}

extension IMAPCommand where Output == MailboxStatus {
    /// What tells of a folder whether anything in it has changed.
    static func page(_ folder: MailboxName) -> Self {
        .status(folder, [.messages, .unseen, .uidNext, .uidValidity, .highestModSeq])
    }
}
