import IMAP

/// What a folder is for (RFC 6154 §2).
enum FolderRole: String, Sendable, CaseIterable {
    case inbox, drafts, sent, junk, trash, archive

    /// Which folder has which role, never two with one: by the server's word, and where it says nothing, by a name that
    /// people know, at the top or right under INBOX.
    static func folders(in mailboxes: [ListedMailbox]) -> [FolderRole: MailboxName] {
        var folders: [FolderRole: MailboxName] = [:]
        for mailbox in mailboxes {
            let role = mailbox.name == .inbox ? .inbox : allCases.first { $0.attribute.map(mailbox.has) ?? false }
            if let role, folders[role] == nil { folders[role] = mailbox.name }
        }
        let taken = Set(folders.values)
        let free = mailboxes.filter { !taken.contains($0.name) && !$0.has(.noSelect) && !$0.has(.nonExistent) }
        for role in allCases where folders[role] == nil {
            let known = free.compactMap { mailbox in role.rank(of: mailbox).map { (rank: $0, name: mailbox.name) } }
            folders[role] = known.min { ($0.rank, $0.name.wire) < ($1.rank, $1.name.wire) }?.name
        }
        return folders
    }

    /// How well the name says this role: lower is better, nil is not at all.
    private func rank(of mailbox: ListedMailbox) -> Int? {
        var name = mailbox.name.name.lowercased()
        var isNested = false
        if let delimiter = mailbox.delimiter, name.hasPrefix("inbox\(delimiter)") {
            name.removeFirst(6)
            isNested = true
        }
        return names.firstIndex(of: name).map { $0 * 2 + (isNested ? 1 : 0) }
    }

    /// What programs and people call such a folder, in small letters, the likeliest first.
    private var names: [String] {
        switch self {
        case .inbox: []
        case .drafts: ["drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze", "concepten", "rascunhos"]
        case .sent:
            [
                "sent", "sent items", "sent messages", "sent mail", "sent-mail", "gesendet", "gesendete elemente",
                "gesendete objekte", "gesendete nachrichten", "envoyés", "éléments envoyés", "messages envoyés",
                "enviados", "elementos enviados", "posta inviata", "inviata", "verzonden", "verzonden items",
            ]
        case .junk:
            [
                "junk", "spam", "junk e-mail", "junk email", "junk mail", "junk-e-mail", "bulk mail", "unerwünscht",
                "spamverdacht", "courrier indésirable", "indésirables", "correo no deseado", "posta indesiderata",
                "ongewenste e-mail",
            ]
        case .trash:
            [
                "trash", "deleted items", "deleted messages", "deleted", "bin", "papierkorb", "gelöschte elemente",
                "gelöschte objekte", "gelöscht", "corbeille", "éléments supprimés", "papelera", "elementos eliminados",
                "cestino", "prullenbak", "verwijderde items", "lixeira",
            ]
        case .archive: ["archive", "archives", "archiv", "archivo", "archivio", "archief"]
        }
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
