import IMAP
import MIME
import MailModel

extension MailSession {
    /// How much of one text is fetched for reading: bytes.
    private static let maximumText: UInt64 = 2 << 20

    /// A message with its text; attachments are not fetched. One round trip when a page has shown it, else a second for
    /// the texts.
    ///
    /// - Parameter markSeen: Also set `\Seen`.
    /// - Throws: `Failure` `notFound` for a folder or message that is not there, `conflict` `uid_validity_changed`.
    func open(_ uid: UInt32, in folder: MailboxName, uidValidity: UInt32?, markSeen: Bool) async throws -> OpenedMessage
    {
        let selection = try await select(folder, uidValidity: uidValidity)
        let place = FolderCache.Folder(account: account, name: folder, uidValidity: selection.uidValidity)
        let known = cache.parts(of: uid, in: place)
        let fetched = try await outline(of: uid, parts: known, markSeen: markSeen)
        guard let parts = known ?? fetched.structure.map({ MessageParts($0) }),
            let item = MessageItem(fetched, parts: parts, uidValidity: selection.uidValidity)
        else { throw Failure.notFound("This message") }
        if known == nil { cache.keep(parts, of: uid, in: place) }
        return OpenedMessage(
            item, folder: folder.name, uidValidity: selection.uidValidity, modSeq: fetched.modSeq,
            headers: MIMEHeader.parseBlock(fetched.bytes(of: .header) ?? []),
            replyTo: MailText.addresses(fetched.envelope?.replyTo ?? []), parts: parts,
            texts: known == nil ? try await texts(of: parts, uid: uid) : Self.texts(of: parts, in: [fetched]))
    }

    /// Everything of the message but its body; with its texts where it is known which those are.
    private func outline(of uid: UInt32, parts: MessageParts?, markSeen: Bool) async throws -> FetchedMessage {
        var items = MessageItem.fetchItems.filter { $0 != .preview() } + [.modSeq, .body(.header)]
        if let parts { items = items.filter { $0 != .bodyStructure } + Self.items(of: parts) }
        let fetch = IMAPCommand.uidFetch(SequenceSet(uid), items)
        let found = try await found {
            let messages: [FetchedMessage]
            if markSeen {
                let (stored, fetched, _) = try await connection.pipeline(
                    .uidStore(SequenceSet(uid), .add([.seen]), silent: true), fetch, .noop)
                messages = stored.messages + fetched.messages
            } else {
                messages = try await connection.pipeline(fetch, .noop).0.messages
            }
            return messages.last { $0.uid == uid && $0.envelope != nil }
        }
        guard let found else { throw Failure.notFound("This message") }
        return found
    }

    private func texts(of parts: MessageParts, uid: UInt32) async throws -> [(part: MessageParts.Text, text: String)] {
        guard !parts.texts.isEmpty else { return [] }
        let fetched = try await connection.run(.uidFetch(SequenceSet(uid), Self.items(of: parts)))
        return Self.texts(of: parts, in: fetched.messages.filter { $0.uid == uid })
    }

    private static func items(of parts: MessageParts) -> [FetchItem] {
        parts.texts.map { .body(.part($0.section), bytes: 0..<maximumText) }
    }

    private static func texts(
        of parts: MessageParts, in messages: [FetchedMessage]
    ) -> [(part: MessageParts.Text, text: String)] {
        parts.texts.map { part in
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
        let size = try await found {
            let (fetched, _) = try await connection.pipeline(.uidFetch(SequenceSet(uid), [.uid, .size]), .noop)
            return fetched.messages.first { $0.uid == uid }?.size
        }
        guard let size else { throw Failure.notFound("This message") }
        return size
    }

    /// What a part is, and its exact size when decoded (RFC 3516 §4.3).
    func part(
        _ part: String, of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?
    ) async throws -> (structure: BodyStructure, section: [Int], size: UInt64) {
        _ = try await select(folder, uidValidity: uidValidity)
        let structure = try await found {
            let (fetched, _) = try await connection.pipeline(
                .uidFetch(SequenceSet(uid), [.uid, .bodyStructure]), .noop)
            return fetched.messages.first { $0.uid == uid && $0.structure != nil }?.structure
        }
        guard let structure else { throw Failure.notFound("This message") }
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
