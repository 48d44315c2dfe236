import HTTPService
import IMAP
import MIME
import MailModel

extension MailSession {
    /// How much of the headers is read: bytes.
    private static let maximumHeader: UInt64 = 256 << 10
    /// How much of a message is read whose structure the server cannot tell: bytes.
    private static let maximumUnstructured: UInt64 = 1 << 20

    /// A message with its text; attachments are not fetched. One round trip when a page has shown it, else a second for
    /// the texts. It is kept as it is shown: when it is opened again, only its flags are asked for.
    ///
    /// - Parameters:
    ///   - part: Opens the message that is attached as this part instead.
    ///   - markSeen: Also set `\Seen`.
    /// - Throws: `Failure` `notFound` for a folder or message that is not there, `conflict` `uid_validity_changed`.
    func open(
        _ uid: UInt32, part: String? = nil, in folder: MailboxName, uidValidity: UInt32?, markSeen: Bool,
        images: MessageImages
    ) async throws -> OpenedMessage {
        let selection = try await select(folder, uidValidity: uidValidity)
        let home = FolderCache.Folder(account: account, name: folder, uidValidity: selection.uidValidity)
        if part == nil, var opened = cache.opened(uid, images.tag, in: home) {
            // Of a message that another has expunged Dovecot still tells the flags, and behind them that it is gone.
            let now = try await reading {
                try await fetch([.uid, .flags, .modSeq], of: uid, markSeen: markSeen) { $0.flags != nil }
            }
            opened.flags = (now.flags ?? []).filter { $0 != .recent }
            opened.modSeq = now.modSeq
            return opened
        }
        let known = part == nil ? cache.parts(of: uid, in: home).flatMap { $0.isKnown ? $0 : nil } : nil
        // What others did to its flags is told behind the answer.
        let fetched = try await reading { try await outline(of: uid, parts: known, markSeen: markSeen) }
        let place = OpenedMessage.Place(
            account: account, folder: folder.name, uidValidity: selection.uidValidity, uid: uid, part: part)
        if let part { return try await openEnclosed(part, of: fetched, place, images) }
        let parts = known ?? fetched.structure.map { MessageParts($0) } ?? MessageParts.none
        guard
            let item = MessageItem(
                fetched, hasAttachments: parts.hasAttachments, uidValidity: selection.uidValidity)
        else {
            throw Failure.notFound("This message")
        }
        let rendering: Rendering
        if parts.isKnown {
            let bodies = known == nil ? try await bodies(of: parts, uid: uid).messages : [fetched]
            rendering = try await Self.rendering(of: parts, in: bodies, at: place, images)
        } else {
            rendering = try await unstructured(place, images)
        }
        let opened = OpenedMessage(
            item, at: place, modSeq: fetched.modSeq, headers: MIMEHeader.parseBlock(fetched.bytes(of: .header) ?? []),
            replyTo: MailText.addresses(fetched.envelope?.replyTo ?? []), parts: parts, rendering: rendering)
        if parts.isKnown {
            let structure = fetched.structure ?? cache.structure(of: uid, in: home)
            cache.keep(opened, images.tag, parts, structure, of: uid, in: home)
        }
        return opened
    }

    /// The message inside a message; its flags and uid are those of the one around it.
    private func openEnclosed(
        _ part: String, of outer: FetchedMessage, _ place: OpenedMessage.Place, _ images: MessageImages
    ) async throws -> OpenedMessage {
        guard let leaf = outer.structure.flatMap({ MessageParts.leaf(part, in: $0) }),
            let envelope = leaf.structure.messageEnvelope, let structure = leaf.structure.enclosed
        else { throw Failure.notFound("This attached message") }
        var inner = outer
        inner.envelope = envelope
        inner.structure = structure
        inner.size = leaf.structure.size
        inner.preview = nil
        let parts = MessageParts(structure, section: leaf.section)
        guard
            let item = MessageItem(
                inner, hasAttachments: parts.hasAttachments, uidValidity: place.uidValidity)
        else {
            throw Failure.notFound("This attached message")
        }
        let header = MessageSection(part: leaf.section, text: .header)
        let fetched = try await bodies(of: parts, uid: place.uid, header: header)
        return OpenedMessage(
            item, at: place, modSeq: outer.modSeq, headers: MIMEHeader.parseBlock(fetched.header),
            replyTo: MailText.addresses(envelope.replyTo), parts: parts,
            rendering: try await Self.rendering(of: parts, in: fetched.messages, at: place, images))
    }

    /// Of a message nested more deeply than anything sane: what its beginning says.
    private func unstructured(_ place: OpenedMessage.Place, _ images: MessageImages) async throws -> Rendering {
        let piece = FetchItem.body(.message, bytes: 0..<Self.maximumUnstructured)
        let fetched = try await connection.run(.uidFetch(SequenceSet(place.uid), [piece]))
        let bytes = fetched.messages.lazy.filter { $0.uid == place.uid }.compactMap { $0.bytes(of: .message) }.first
        return try await offLoop {
            var limits = MIMEMessage.Limits()
            limits.depth = 100
            let message = try? MIMEMessage.parse(bytes ?? [], limits: limits)
            return Rendering(plain: message?.plain, html: message?.html, at: place, images: images)
        }
    }

    /// What is computed on the event loop: bytes of text.
    private static let quickText = 8192

    private static func rendering(
        of parts: MessageParts, in bodies: [FetchedMessage], at place: OpenedMessage.Place, _ images: MessageImages
    ) async throws -> Rendering {
        let size = bodies.reduce(0) { $0 + $1.sections.reduce(0) { $0 + ($1.bytes?.count ?? 0) } }
        if size <= quickText { return Rendering(parts, in: bodies, at: place, images: images) }
        return try await offLoop { Rendering(parts, in: bodies, at: place, images: images) }
    }

    /// Everything of the message but its body; with its texts where it is known which those are.
    private func outline(of uid: UInt32, parts: MessageParts?, markSeen: Bool) async throws -> FetchedMessage {
        var items = MessageItem.fetchItems + [.modSeq, .body(.header, bytes: 0..<Self.maximumHeader)]
        if let parts { items = items.filter { $0 != .bodyStructure } + Self.items(of: parts) }
        return try await fetch(items, of: uid, markSeen: markSeen) { $0.envelope != nil }
    }

    /// - Parameter isWhole: Whether a response is the one asked for, and not news of the message.
    /// - Throws: `Failure` `notFound`.
    private func fetch(
        _ items: [FetchItem], of uid: UInt32, markSeen: Bool, _ isWhole: (FetchedMessage) -> Bool
    ) async throws -> FetchedMessage {
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
            return messages.last { $0.uid == uid && isWhole($0) }
        }
        guard let found else { throw Failure.notFound("This message") }
        return found
    }

    /// - Parameter header: Headers to be fetched along.
    private func bodies(
        of parts: MessageParts, uid: UInt32, header: MessageSection? = nil
    ) async throws -> (messages: [FetchedMessage], header: [UInt8]) {
        var items = Self.items(of: parts)
        if let header { items.append(.body(header, bytes: 0..<Self.maximumHeader)) }
        guard !items.isEmpty else { return ([], []) }
        let messages = try await connection.run(.uidFetch(SequenceSet(uid), items)).messages.filter { $0.uid == uid }
        let headers = header.flatMap { section in messages.lazy.compactMap { $0.bytes(of: section) }.first }
        return (messages, headers ?? [])
    }

    private static func items(of parts: MessageParts) -> [FetchItem] {
        parts.texts.filter { $0.limit > 0 }.map { .body(.part($0.section), bytes: 0..<$0.limit) }
    }

    /// The size of a whole message, and its beginning: one round trip.
    ///
    /// - Parameter wanted: How much of the beginning: bytes.
    func size(
        of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?, withBeginning wanted: UInt64
    ) async throws -> (size: UInt64, beginning: [UInt8]) {
        _ = try await select(folder, uidValidity: uidValidity)
        var items: [FetchItem] = [.uid, .size]
        if wanted > 0 { items.append(.body(.message, bytes: 0..<wanted)) }
        let fetch = IMAPCommand.uidFetch(SequenceSet(uid), items)
        let message = try await found {
            let (fetched, _) = try await connection.pipeline(fetch, .noop)
            return fetched.messages.first { $0.uid == uid && $0.size != nil }
        }
        guard let message, let size = message.size else { throw Failure.notFound("This message") }
        return (size, message.beginning(of: .message, isDecoded: false) ?? [])
    }

    /// A part to be downloaded.
    struct SizedPart: Sendable {
        let structure: BodyStructure
        let section: [Int]
        /// Exact: bytes.
        let size: UInt64
        /// Whether the server undoes the transfer encoding; one that nobody knows stays as it is.
        let isDecoded: Bool
        /// As much of it as is known already.
        var beginning: [UInt8] = []
    }

    /// What a part is, its exact size when decoded (RFC 3516 §4.3), and its beginning: one round trip when a page has
    /// shown the message, else two.
    ///
    /// - Parameter wanted: How much of the beginning: bytes; none of a very large part. Without, the message is looked for
    ///   in any case.
    func part(
        _ part: String, of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?, withBeginning wanted: UInt64 = 0
    ) async throws -> SizedPart {
        let selection = try await select(folder, uidValidity: uidValidity)
        let home = FolderCache.Folder(account: account, name: folder, uidValidity: selection.uidValidity)
        let known = wanted > 0 ? cache.structure(of: uid, in: home) : nil
        let structure: BodyStructure
        if let known { structure = known } else { structure = try await self.structure(of: uid) }
        guard let leaf = MessageParts.leaf(part, in: structure) else {
            throw Failure.notFound("This attachment")
        }
        // Of a message in a message, which may not be encoded (RFC 2046 §5.2.1), Dovecot gives nothing decoded.
        let isEncoded =
            !["7bit", "8bit", "binary", ""].contains(leaf.structure.encoding) && leaf.structure.type != "message"
        // The server decodes all of it for its size, and once more for the beginning.
        let soon = leaf.structure.size <= Self.quicklyDecoded ? wanted : 0
        if isEncoded, let decoded = try await decoded(leaf, of: uid, withBeginning: soon) { return decoded }
        var asItIs = SizedPart(
            structure: leaf.structure, section: leaf.section, size: leaf.structure.size, isDecoded: false)
        guard wanted > 0, asItIs.size > 0 else { return asItIs }
        let section = MessageSection.part(leaf.section)
        let fetch = IMAPCommand.uidFetch(SequenceSet(uid), [.uid, .body(section, bytes: 0..<wanted)])
        let beginning = try await found {
            let (fetched, _) = try await connection.pipeline(fetch, .noop)
            return fetched.messages.lazy.filter { $0.uid == uid }
                .compactMap { $0.beginning(of: section, isDecoded: false) }.first
        }
        guard let beginning else { throw Failure.notFound("This message") }
        asItIs.beginning = beginning
        return asItIs
    }

    /// Up to which size a part is decoded twice by one command: bytes, encoded.
    private static let quicklyDecoded: UInt64 = 8 << 20

    private func structure(of uid: UInt32) async throws -> BodyStructure {
        let structure = try await found {
            let (fetched, _) = try await connection.pipeline(
                .uidFetch(SequenceSet(uid), [.uid, .bodyStructure]), .noop)
            return fetched.messages.first { $0.uid == uid && $0.structure != nil }?.structure
        }
        guard let structure else { throw Failure.notFound("This message") }
        return structure
    }

    /// - Returns: nil for an encoding that the server does not know (RFC 3516 §4.3).
    private func decoded(
        _ leaf: (section: [Int], structure: BodyStructure), of uid: UInt32, withBeginning wanted: UInt64
    ) async throws -> SizedPart? {
        var items: [FetchItem] = [.uid, .binarySize(part: leaf.section)]
        if wanted > 0 { items.append(.binary(part: leaf.section, bytes: 0..<wanted)) }
        let fetch = IMAPCommand.uidFetch(SequenceSet(uid), items)
        do {
            let message = try await found {
                let (fetched, _) = try await connection.pipeline(fetch, .noop)
                return fetched.messages.first { $0.uid == uid && !$0.binarySizes.isEmpty }
            }
            guard let message, let size = message.binarySizes.first?.bytes else {
                throw Failure.notFound("This attachment")
            }
            return SizedPart(
                structure: leaf.structure, section: leaf.section, size: size, isDecoded: true,
                beginning: message.beginning(of: .part(leaf.section), isDecoded: true) ?? [])
        } catch IMAPError.no(.expungeIssued, _) {
            throw Failure.notFound("This message")
        } catch IMAPError.no {
            return nil
        }
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

extension FetchedMessage {
    /// The bytes of a section from its first on; nil when the server told others, or none.
    fileprivate func beginning(of section: MessageSection, isDecoded: Bool) -> [UInt8]? {
        sections.first { $0.section == section && $0.isDecoded == isDecoded && $0.origin ?? 0 == 0 }?.bytes
    }
}
