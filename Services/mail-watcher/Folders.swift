import IMAP
import MIME
import MailModel

/// What a watch asks an IMAP server.
enum Folders {
    static let inbox = "INBOX"
    private static let items: [StatusItem] = [.messages, .uidNext, .uidValidity, .unseen]

    struct Listing {
        var states: [String: FolderState] = [:]
        var quiet: Set<String> = []
        /// Those that are there, though the server did not tell how they stand.
        var untold: Set<String> = []
    }

    /// The state of every folder.
    ///
    /// The NOOP makes the server see what came into the selected mailbox first.
    static func look(_ connection: IMAPConnection) async throws -> Listing {
        let can = connection.capabilities
        var items = items
        if can.contains(.condstore) { items.append(.highestModSeq) }
        let returning: [ListReturn] = can.contains(.specialUse) && can.contains(.listExtended) ? [.specialUse] : []
        let hasStatus = can.contains(.listStatus)
        var (_, mailboxes) = try await connection.pipeline(
            .noop, .list(returning: returning, status: hasStatus ? items : []))
        mailboxes.removeAll { $0.has(.noSelect) || $0.has(.nonExistent) }
        if !hasStatus {
            let answers = try await connection.pipeline(mailboxes.map { .status($0.name, items) })
            for (index, answer) in answers.enumerated() { mailboxes[index].status = try? answer.get() }
        }
        var listing = Listing()
        for mailbox in mailboxes {
            let name = mailbox.name.name
            if let state = mailbox.status.flatMap(FolderState.init) {
                listing.states[name] = state
            } else {
                listing.untold.insert(name)
            }
            if mailbox.has(.sent) || mailbox.has(.drafts) || mailbox.has(.trash) { listing.quiet.insert(name) }
        }
        return listing
    }

    /// The summaries of the messages with these UIDs, as far as they still exist.
    ///
    /// A folder other than INBOX is selected for it, and stays selected.
    static func summaries(
        _ connection: IMAPConnection, _ folder: String, uidValidity: UInt32, uids: Range<UInt32>
    ) async throws -> [MessageSummary] {
        let set = SequenceSet(uids.lowerBound...uids.upperBound - 1)
        var items: [FetchItem] = [.uid, .flags, .internalDate, .envelope]
        items.append(
            connection.capabilities.contains(.preview) ? .preview() : .body(.message, bytes: 0..<UInt64(Summary.head)))
        let fetch = IMAPCommand.uidFetch(set, items)
        if folder == inbox { return try await connection.run(fetch).messages.compactMap(Summary.of) }
        let (selected, fetched) = try await connection.pipeline(
            .select(MailboxName(folder), readOnly: true), fetch)
        guard selected.uidValidity == uidValidity else { return [] }
        return fetched.messages.compactMap(Summary.of)
    }

    /// Flags changed and messages expunged since a MODSEQ; nil when the folder is another by now.
    ///
    /// A folder other than INBOX is selected for it, and stays selected.
    static func changes(
        _ connection: IMAPConnection, _ folder: String, uidValidity: UInt32, since modSeq: UInt64
    ) async throws -> (flags: [Watch.FlagChange], vanished: [UInt32])? {
        if folder == inbox {
            let answer = try await connection.run(
                .uidFetch(.all, [.uid, .flags], changedSince: modSeq, vanished: true))
            return (
                answer.messages.compactMap(Watch.FlagChange.init), answer.vanished.numbers(limit: Hearing.limit)
            )
        }
        let answer = try await connection.run(
            .select(
                MailboxName(folder), readOnly: true, condstore: true,
                resync: QuickResync(uidValidity: uidValidity, modSeq: modSeq)))
        guard answer.uidValidity == uidValidity else { return nil }
        return (answer.changed.compactMap(Watch.FlagChange.init), answer.vanished.numbers(limit: Hearing.limit))
    }
}

extension FolderState {
    /// nil when the server left out what makes a state.
    init?(_ status: MailboxStatus) {
        guard let uidValidity = status.uidValidity, let uidNext = status.uidNext, let exists = status.messages else {
            return nil
        }
        self.init(
            uidValidity: uidValidity, uidNext: uidNext, modSeq: status.highestModSeq ?? 0, exists: Int(exists),
            unseen: Int(status.unseen ?? 0))
    }
}
