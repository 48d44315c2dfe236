import HTTPService
import IMAP
import MailModel

/// A folder of a mailbox, as the API shows it.
struct Folder: Sendable, Equatable {
    /// The last component of the path.
    let name: String
    let path: String
    /// Nil in a flat hierarchy.
    let delimiter: String?
    let role: FolderRole?
    /// Messages.
    let total: UInt32
    let unseen: UInt32
    /// Bytes; nil where the server does not tell.
    let size: UInt64?
    let isSubscribed: Bool
    /// False for a folder that only has folders in it.
    let isSelectable: Bool
    let uidValidity: UInt32?
    /// The uid that the next message will have, or a lower one.
    let uidNext: UInt32?
    let modSeq: UInt64?

    init(_ mailbox: ListedMailbox, role: FolderRole?) {
        let path = mailbox.name.name
        self.path = path
        delimiter = mailbox.delimiter.map(String.init)
        name = mailbox.delimiter.flatMap { path.split(separator: $0).last }.map(String.init) ?? path
        self.role = role
        total = mailbox.status?.messages ?? 0
        unseen = mailbox.status?.unseen ?? 0
        size = mailbox.status?.size
        // INBOX is there without being subscribed to.
        isSubscribed = mailbox.has(.subscribed) || mailbox.name == .inbox
        isSelectable = !mailbox.has(.noSelect) && !mailbox.has(.nonExistent)
        uidValidity = mailbox.status?.uidValidity
        uidNext = mailbox.status?.uidNext
        modSeq = mailbox.status?.highestModSeq
    }

    /// Its place among the folders: in the order of the roles, then all others.
    fileprivate var rank: Int { role.flatMap { FolderRole.allCases.firstIndex(of: $0) } ?? FolderRole.allCases.count }

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("name", name)
            json.field("path", path)
            json.field("delimiter", delimiter)
            json.field("role", role?.rawValue)
            json.field("total", total)
            json.field("unseen", unseen)
            json.field("size", size)
            json.field("subscribed", isSubscribed)
            json.field("selectable", isSelectable)
            json.field("uid_validity", uidValidity)
            json.field("uid_next", uidNext)
            json.field("modseq", modSeq)
        }
    }
}

extension MailSession {
    /// Every folder with its counts, those with a role first: one LIST with STATUS (RFC 5819), behind a NOOP that brings
    /// the selected folder up to date.
    func folders() async throws -> [Folder] {
        let known = cache.sizes(of: account)
        var mailboxes = try await reading {
            // Dovecot answers ten times as fast while INBOX is open.
            _ = try await select(.inbox)
            return try await connection.pipeline(.noop, .folders(withSize: known.isEmpty)).1
        }
        mailboxes = try await measured(mailboxes, known)
        roles = FolderRole.folders(in: mailboxes)
        let roleByName = Dictionary(roles.map { ($1, $0) }) { first, _ in first }
        return mailboxes.map { Folder($0, role: roleByName[$0.name]) }.sorted {
            ($0.rank, $0.path) < ($1.rank, $1.path)
        }
    }

    /// The folders with their sizes: asked for only where they may have changed, since the server must open a folder to
    /// tell its size, which takes it longer than all else about the folder.
    private func measured(
        _ listed: [ListedMailbox], _ known: [MailboxName: FolderSize]
    ) async throws -> [ListedMailbox] {
        var mailboxes = listed
        for (index, mailbox) in mailboxes.enumerated() {
            guard let status = mailbox.status, let size = known[mailbox.name], size.holds(for: status) else { continue }
            mailboxes[index].status?.size = size.bytes
        }
        let unmeasured = mailboxes.indices.filter { mailboxes[$0].status.map { $0.size == nil } ?? false }
        if unmeasured.count > Self.measuredOneByOne {
            mailboxes = try await connection.run(.folders())
        } else if !unmeasured.isEmpty {
            let statuses = try await connection.pipeline(
                unmeasured.map { .status(mailboxes[$0].name, StatusItem.shown) })
            for (index, status) in zip(unmeasured, statuses) {
                if let status = try? status.get() { mailboxes[index].status = status }
            }
        }
        let sizes = mailboxes.compactMap { mailbox in
            mailbox.status.flatMap { FolderSize($0) }.map { (mailbox.name, $0) }
        }
        cache.keep(Dictionary(sizes) { $1 }, of: account)
        return mailboxes
    }

    private static let measuredOneByOne = 16

    /// The folder of a role; made and subscribed when there is none.
    func folder(of role: FolderRole) async throws -> MailboxName {
        if let known = try await knownRoles()[role] { return known }
        let name = role.defaultName
        do {
            _ = try await connection.pipeline(.create(name, specialUse: role.attribute), .subscribe(name))
        } catch IMAPError.no(.alreadyExists, _) {
            // A folder of that name without the attribute is the one that people mean.
        }
        roles[role] = name
        return name
    }

    /// What a folder is for.
    func role(of folder: MailboxName) async throws -> FolderRole? {
        folder == .inbox ? .inbox : try await knownRoles().first { $0.value == folder }?.key
    }

    /// The folders that have a role.
    func knownRoles() async throws -> [FolderRole: MailboxName] {
        if roles.isEmpty { roles = FolderRole.folders(in: try await connection.run(.list(returning: [.specialUse]))) }
        return roles
    }
}

extension IMAPCommand where Output == [ListedMailbox] {
    /// Folders with all that is shown of them.
    static func folders(_ patterns: [String] = ["*"], withSize: Bool = true) -> Self {
        .list(
            patterns: patterns, returning: [.subscribed, .specialUse],
            status: withSize ? StatusItem.shown : StatusItem.shown.filter { $0 != .size })
    }
}

extension StatusItem {
    /// What is shown of a folder.
    fileprivate static let shown: [StatusItem] = [.messages, .unseen, .size, .uidValidity, .uidNext, .highestModSeq]
}

/// How large a folder is for as long as it holds the same messages: every arrival raises UIDNEXT and every removal lowers
/// the count (RFC 9051 §2.3.1.1).
struct FolderSize: Sendable {
    let bytes: UInt64
    private let uidValidity: UInt32
    private let uidNext: UInt32
    private let messages: UInt32

    /// - Returns: nil when the server left something out.
    init?(_ status: MailboxStatus) {
        guard let bytes = status.size, let uidValidity = status.uidValidity, let uidNext = status.uidNext,
            let messages = status.messages
        else { return nil }
        self.bytes = bytes
        self.uidValidity = uidValidity
        self.uidNext = uidNext
        self.messages = messages
    }

    func holds(for status: MailboxStatus) -> Bool {
        status.uidValidity == uidValidity && status.uidNext == uidNext && status.messages == messages
    }
}
