import IMAP
import NIOConcurrencyHelpers
import NIOCore

/// What of folders was shown lately, so that showing it again costs the mail server next to nothing.
///
/// Nothing is answered from here alone: whoever finds a page asks the server in the same round trip what has changed in
/// the folder since (RFC 7162 §3.1.4.1), or, on a session that has done nothing else since it showed the folder, lets it
/// tell behind a NOOP (RFC 9051 §7). So other clients, other replicas and the caller's own writes are never missed.
/// What is kept with a message by its uid (its parts, its text) never changes (RFC 9051 §2.3.1.1), nor does the size of a
/// folder that holds the same messages.
///
/// Two generations, each bounded in bytes: what was used lately stays.
final class FolderCache: Sendable {
    /// A folder as long as its uids mean the same messages.
    struct Folder: Hashable, Sendable {
        let account: String
        let name: MailboxName
        let uidValidity: UInt32
    }

    private enum Key: Hashable {
        case page(Folder, PageKey)
        case parts(Folder, uid: UInt32)
        /// With the tag of its links.
        case opened(Folder, uid: UInt32, String)
        case sizes(account: String)
    }

    private enum Value {
        case page(MessagePage)
        /// Told, and not looked into yet.
        case structure(ListedMessage.Structure)
        case parts(MessageParts, BodyStructure?)
        case opened(OpenedMessage)
        case sizes([MailboxName: FolderSize])
    }

    private struct Generations {
        var young: [Key: (value: Value, bytes: Int)] = [:]
        var old: [Key: (value: Value, bytes: Int)] = [:]
        var youngBytes = 0

        mutating func insert(_ value: Value, _ bytes: Int, for key: Key, limit: Int) {
            if youngBytes + bytes > limit {
                old = young
                young = [:]
                youngBytes = 0
            }
            youngBytes += bytes - (young.updateValue((value, bytes), forKey: key)?.bytes ?? 0)
        }

        mutating func find(_ key: Key, limit: Int) -> Value? {
            if let found = young[key] { return found.value }
            guard let found = old.removeValue(forKey: key) else { return nil }
            insert(found.value, found.bytes, for: key, limit: limit)
            return found.value
        }
    }

    private let generations = NIOLockedValueBox(Generations())
    private let limit: Int
    /// Which messages have attachments.
    let attachments: AttachmentIndex

    /// - Parameter bytes: How much is held at most, about.
    init(bytes: Int) {
        limit = bytes / 2
        attachments = AttachmentIndex(bytes: bytes / 4)
    }

    func page(_ key: PageKey, of folder: Folder) -> MessagePage? {
        guard case .page(let page)? = find(.page(folder, key)) else { return nil }
        return page
    }

    func keep(_ page: MessagePage, as key: PageKey, of folder: Folder) {
        generations.withLockedValue { $0.insert(.page(page), page.footprint, for: .page(folder, key), limit: limit) }
    }

    /// Keeps what the messages are made of, for when one is opened.
    func keep(_ messages: [ListedMessage], of folder: Folder) {
        generations.withLockedValue { generations in
            for message in messages {
                guard let structure = message.structure else { continue }
                generations.insert(
                    .structure(structure), structure.value.footprint, for: .parts(folder, uid: message.uid),
                    limit: limit)
            }
        }
    }

    /// Forgets a page, unless another has taken its place.
    func drop(_ page: MessagePage, _ key: PageKey, of folder: Folder) {
        generations.withLockedValue { generations in
            let key = Key.page(folder, key)
            if case .page(let kept)? = generations.young[key]?.value, kept.modSeq == page.modSeq {
                generations.youngBytes -= generations.young.removeValue(forKey: key)?.bytes ?? 0
            }
        }
    }

    /// What a message is made of, if a page has shown it.
    func parts(of uid: UInt32, in folder: Folder) -> MessageParts? {
        switch find(.parts(folder, uid: uid)) {
        case .parts(let parts, _): parts
        case .structure(let structure): MessageParts(structure.value)
        case .page, .opened, .sizes, nil: nil
        }
    }

    /// The structure of a message, if it was told.
    func structure(of uid: UInt32, in folder: Folder) -> BodyStructure? {
        switch find(.parts(folder, uid: uid)) {
        case .parts(_, let structure): structure
        case .structure(let structure): structure.value
        case .page, .opened, .sizes, nil: nil
        }
    }

    /// A message as it was opened before; its flags are to be asked for.
    ///
    /// - Parameter tag: Of the links in it.
    func opened(_ uid: UInt32, _ tag: String, in folder: Folder) -> OpenedMessage? {
        guard case .opened(let message)? = find(.opened(folder, uid: uid, tag)) else { return nil }
        return message
    }

    /// Keeps a message that was opened, and what it is made of for when its links have another tag.
    func keep(
        _ message: OpenedMessage, _ tag: String, _ parts: MessageParts, _ structure: BodyStructure?, of uid: UInt32,
        in folder: Folder
    ) {
        generations.withLockedValue {
            $0.insert(
                .parts(parts, structure), parts.footprint + (structure?.footprint ?? 0),
                for: .parts(folder, uid: uid), limit: limit)
            // One message is not worth all the others.
            guard message.footprint <= limit / 16 else { return }
            $0.insert(.opened(message), message.footprint, for: .opened(folder, uid: uid, tag), limit: limit)
        }
    }

    /// How large the mailbox's folders were when last asked.
    func sizes(of account: String) -> [MailboxName: FolderSize] {
        guard case .sizes(let sizes)? = find(.sizes(account: account)) else { return [:] }
        return sizes
    }

    func keep(_ sizes: [MailboxName: FolderSize], of account: String) {
        generations.withLockedValue {
            $0.insert(.sizes(sizes), 256 + sizes.count * 128, for: .sizes(account: account), limit: limit)
        }
    }

    private func find(_ key: Key) -> Value? { generations.withLockedValue { $0.find(key, limit: limit) } }
}

extension MessagePage {
    /// What it takes in memory, about: bytes.
    fileprivate var footprint: Int { 512 + json.storageCapacity + messages.count * 24 }
}

extension BodyStructure {
    /// What it takes in memory, about: bytes.
    fileprivate var footprint: Int { children.reduce(256) { $0 + $1.footprint } }
}

extension MessageParts {
    /// What it takes in memory, about: bytes.
    fileprivate var footprint: Int { 256 + texts.count * 512 + attachments.count * 256 }
}
