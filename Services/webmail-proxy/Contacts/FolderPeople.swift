import IMAP
import MIME
import MailModel
import Storage

/// The people of the mails of a folder that were not looked at before.
struct FolderPeople: Sendable {
    let people: [ContactStore.Correspondent]
    /// Up to where it was looked.
    let progress: ContactStore.Progress
}

extension MailSession {
    /// How many mails are looked at, the latest ones.
    private static let harvestLimit = 2000
    private static let harvestBatch: UInt32 = 200

    /// The people in the envelopes of a folder, from the newest back to where it was looked before. What was open on the
    /// session is opened again.
    ///
    /// - Returns: nil when there is no such folder, or nothing new in it.
    func people(
        of source: ContactStore.Source, after known: ContactStore.Progress?, own: Set<String>
    ) async throws -> FolderPeople? {
        let before = selection?.folder
        guard let folder = try await folder(of: source) else { return nil }
        let found = try await people(in: folder, of: source, after: known, own: own)
        if let before, before != folder { _ = try await select(before) }
        return found
    }

    /// Unlike `folder(of: FolderRole)` it makes none.
    private func folder(of source: ContactStore.Source) async throws -> MailboxName? {
        guard source == .sent else { return .inbox }
        if let known = roles[.sent] { return known }
        return FolderRole.folders(in: try await connection.run(.list(returning: [.specialUse])))[.sent]
    }

    private func people(
        in folder: MailboxName, of source: ContactStore.Source, after known: ContactStore.Progress?, own: Set<String>
    ) async throws -> FolderPeople? {
        let selection = try await select(folder)
        let (_, status) = try await connection.pipeline(.noop, .status(folder, [.messages, .uidNext]))
        let latest = (status.uidNext ?? 1) - min(1, status.uidNext ?? 1)
        let progress = ContactStore.Progress(uidValidity: selection.uidValidity, uid: latest)
        guard progress != known else { return nil }
        // A folder that was made anew may hold the mails of the old one, which counted before.
        if let known, known.uidValidity != selection.uidValidity { return FolderPeople(people: [], progress: progress) }
        var correspondents = Correspondents(own: own, addsUp: source == .inbox || known == nil)
        var last = status.messages ?? 0
        noteExists(last)
        var looked = 0
        while last > 0, looked < Self.harvestLimit {
            let first = last - min(last, Self.harvestBatch) + 1
            let messages = try await connection.run(.fetch(SequenceSet(first...last), source.items)).messages
            for message in messages { correspondents.add(message, of: source, after: known?.uid ?? 0, upTo: latest) }
            if let known, messages.contains(where: { ($0.uid ?? .max) <= known.uid }) { break }
            looked += Int(last - first) + 1
            last = first - 1
        }
        return FolderPeople(people: correspondents.all, progress: progress)
    }
}

extension ContactStore.Source {
    fileprivate var items: [FetchItem] {
        switch self {
        case .sent: [.uid, .envelope, .internalDate]
        case .inbox: [.uid, .envelope, .internalDate, .body(Self.tellingHeaders)]
        }
    }

    fileprivate static let tellingHeaders = MessageSection(text: .headerFields(Correspondents.telling))
}

extension Correspondents {
    fileprivate mutating func add(
        _ message: FetchedMessage, of source: ContactStore.Source, after known: UInt32, upTo latest: UInt32
    ) {
        guard let uid = message.uid, uid > known, uid <= latest, let envelope = message.envelope else { return }
        let arrival = (message.internalDate?.secondsSince1970 ?? 0) * 1000
        switch source {
        case .sent:
            let date = envelope.date.flatMap(MIMEHeader.date) ?? arrival
            // Nothing is from the future; it would stay on top for ever.
            wroteTo(
                MailText.addresses(envelope.to + envelope.cc + envelope.bcc), at: max(0, min(date, Timestamp.now())))
        case .inbox:
            guard let sender = MailText.addresses(envelope.from).first else { return }
            heardFrom(
                sender, at: max(0, min(arrival, Timestamp.now())),
                headers: MIMEHeader.parseBlock(message.bytes(of: ContactStore.Source.tellingHeaders) ?? []))
        }
    }
}
