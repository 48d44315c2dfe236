import IMAP

/// What a folder is for (RFC 6154 §2).
enum FolderRole: String, Sendable, CaseIterable {
    case inbox, drafts, sent, junk, trash, archive

    init?(_ mailbox: ListedMailbox) {
        if mailbox.name == .inbox {
            self = .inbox
        } else if let role = Self.allCases.first(where: { $0.attribute.map(mailbox.has) ?? false }) {
            self = role
        } else {
            return nil
        }
    }

    /// Which folder has which role; of several with one role the first.
    static func folders(in mailboxes: [ListedMailbox]) -> [FolderRole: MailboxName] {
        var folders: [FolderRole: MailboxName] = [:]
        for mailbox in mailboxes {
            if let role = FolderRole(mailbox), folders[role] == nil { folders[role] = mailbox.name }
        }
        return folders
    }

    /// The name of a folder of this role that has to be made.
    var defaultName: MailboxName {
        self == .inbox ? .inbox : MailboxName(rawValue.prefix(1).uppercased() + rawValue.dropFirst())
    }

    var attribute: MailboxAttribute? {
        switch self {
        case .inbox: nil
        case .drafts: .drafts
        case .sent: .sent
        case .junk: .junk
        case .trash: .trash
        case .archive: .archive
        }
    }
}
