import IMAP
import MIME
import MailModel

extension MailSession {
    /// How much of one text is fetched for reading: bytes.
    private static let maximumText: UInt64 = 2 << 20

    /// A message with its text. Attachments are not fetched: structure and headers come in one round trip, the texts in
    /// a second.
    ///
    /// - Parameter markSeen: Also set `\Seen`.
    /// - Throws: `Failure` `notFound` for a folder or message that is not there, `conflict` `uid_validity_changed`.
    func open(_ uid: UInt32, in folder: MailboxName, uidValidity: UInt32?, markSeen: Bool) async throws -> OpenedMessage
    {
        let selection = try await select(folder, uidValidity: uidValidity)
        let fetched = try await outline(of: uid, markSeen: markSeen)
        guard let item = MessageItem(fetched, uidValidity: selection.uidValidity), let structure = fetched.structure
        else { throw Failure.notFound("This message") }
        let parts = MessageParts(structure)
        return OpenedMessage(
            item, folder: folder.name, uidValidity: selection.uidValidity, modSeq: fetched.modSeq,
            headers: MIMEHeader.parseBlock(fetched.bytes(of: .header) ?? []),
            replyTo: MailText.addresses(fetched.envelope?.replyTo ?? []), parts: parts,
            texts: try await texts(of: parts, uid: uid))
    }

    /// Everything of the message but its body.
    private func outline(of uid: UInt32, markSeen: Bool) async throws -> FetchedMessage {
        let items = MessageItem.fetchItems.filter { $0 != .preview() } + [.modSeq, .body(.header)]
        let fetch = IMAPCommand.uidFetch(SequenceSet(uid), items)
        let messages: [FetchedMessage]
        if markSeen {
            let (_, stored, fetched) = try await connection.pipeline(
                .noop, .uidStore(SequenceSet(uid), .add([.seen]), silent: true), fetch)
            messages = stored.messages + fetched.messages
        } else {
            messages = try await connection.pipeline(.noop, fetch).1.messages
        }
        guard let message = messages.last(where: { $0.uid == uid && $0.envelope != nil }) else {
            throw Failure.notFound("This message")
        }
        return message
    }

    private func texts(of parts: MessageParts, uid: UInt32) async throws -> [(part: MessageParts.Text, text: String)] {
        guard !parts.texts.isEmpty else { return [] }
        let items = parts.texts.map { FetchItem.body(.part($0.section), bytes: 0..<Self.maximumText) }
        let fetched = try await connection.run(.uidFetch(SequenceSet(uid), items))
        let messages = fetched.messages.filter { $0.uid == uid }
        return parts.texts.map { part in
            let bytes = messages.lazy.compactMap { $0.bytes(of: .part(part.section)) }.first ?? []
            let text = MIMEBody.text(
                bytes, transferEncoding: part.structure.encoding,
                parameters: MailText.parameters(part.structure.parameters))
            return (part, text)
        }
    }

    /// The size of a whole message: bytes.
    func size(of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?) async throws -> UInt64 {
        _ = try await select(folder, uidValidity: uidValidity)
        let (_, fetched) = try await connection.pipeline(.noop, .uidFetch(SequenceSet(uid), [.uid, .size]))
        guard let size = fetched.messages.first(where: { $0.uid == uid })?.size else {
            throw Failure.notFound("This message")
        }
        return size
    }

    /// What a part is, and its exact size when decoded (RFC 3516 §4.3).
    func part(
        _ part: String, of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?
    ) async throws -> (structure: BodyStructure, section: [Int], size: UInt64) {
        _ = try await select(folder, uidValidity: uidValidity)
        let (_, fetched) = try await connection.pipeline(.noop, .uidFetch(SequenceSet(uid), [.uid, .bodyStructure]))
        guard let structure = fetched.messages.first(where: { $0.uid == uid && $0.structure != nil })?.structure else {
            throw Failure.notFound("This message")
        }
        guard let leaf = MessageParts.leaf(part, in: structure) else { throw Failure.notFound("This attachment") }
        let sized = try await connection.run(.uidFetch(SequenceSet(uid), [.binarySize(part: leaf.section)]))
        guard let size = sized.messages.lazy.compactMap({ $0.binarySizes.first?.bytes }).first else {
            throw Failure.notFound("This attachment")
        }
        return (leaf.structure, leaf.section, size)
    }

    /// A piece of a section or, decoded, of a part.
    func bytes(_ item: FetchItem, of uid: UInt32, in folder: MailboxName, uidValidity: UInt32) async throws -> [UInt8] {
        _ = try await select(folder, uidValidity: uidValidity)
        let fetched = try await connection.run(.uidFetch(SequenceSet(uid), [item]))
        guard let bytes = fetched.messages.lazy.compactMap({ $0.sections.first?.bytes }).first else {
            throw Failure.notFound("This message")
        }
        return bytes
    }
}
