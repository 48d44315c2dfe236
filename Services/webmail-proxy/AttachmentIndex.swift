import IMAP
import NIOConcurrencyHelpers

/// Which messages have attachments, as far as they were looked at: two bits a message, which never change.
///
/// IMAP has no search key for attachments, and only a message's structure tells what the list shows. So the structures
/// of what matches are fetched, once for each message.
final class AttachmentIndex: Sendable {
    /// What is known of one folder.
    struct Known: Sendable {
        private var seen: [UInt64] = []
        private var with: [UInt64] = []

        /// Uids beyond are looked at each time: bits for them would cost more than they are worth.
        private static let maximumUID: UInt32 = 1 << 23

        var bytes: Int { (seen.count + with.count) * 8 }

        /// nil: not looked at yet.
        func hasAttachments(_ uid: UInt32) -> Bool? {
            let (word, bit) = (Int(uid / 64), UInt64(1) << UInt64(uid % 64))
            guard word < seen.count, seen[word] & bit != 0 else { return nil }
            return with[word] & bit != 0
        }

        mutating func note(_ uid: UInt32, _ hasAttachments: Bool) {
            guard uid < Self.maximumUID else { return }
            let (word, bit) = (Int(uid / 64), UInt64(1) << UInt64(uid % 64))
            if word >= seen.count {
                let missing = [UInt64](repeating: 0, count: word + 1 - seen.count)
                seen += missing
                with += missing
            }
            seen[word] |= bit
            if hasAttachments { with[word] |= bit }
        }
    }

    private let folders = NIOLockedValueBox<[FolderCache.Folder: Known]>([:])
    private let limit: Int

    /// - Parameter bytes: How much is held at most, about.
    init(bytes: Int) { limit = bytes }

    func known(of folder: FolderCache.Folder) -> Known { folders.withLockedValue { $0[folder] ?? Known() } }

    func keep(_ known: Known, of folder: FolderCache.Folder) {
        folders.withLockedValue { folders in
            folders[folder] = known
            var total = folders.values.reduce(0) { $0 + $1.bytes + 256 }
            while total > limit, let other = folders.keys.first(where: { $0 != folder }) {
                total -= (folders.removeValue(forKey: other)?.bytes ?? 0) + 256
            }
        }
    }
}

extension MailSession {
    /// As many structures as are fetched at a time.
    private static let structuresAtOnce = 2000

    /// Those of the messages that have attachments, as their list items say it.
    func messagesWithAttachments(among uids: [UInt32], in selection: Selection) async throws -> Set<UInt32> {
        let folder = FolderCache.Folder(
            account: account, name: selection.folder, uidValidity: selection.uidValidity)
        var known = cache.attachments.known(of: folder)
        var found = Set(uids.filter { known.hasAttachments($0) == true })
        var unknown = uids.filter { known.hasAttachments($0) == nil }.sorted()[...]
        while !unknown.isEmpty {
            let some = SequenceSet(unknown.prefix(Self.structuresAtOnce))
            unknown = unknown.dropFirst(Self.structuresAtOnce)
            for message in try await connection.run(.uidFetch(some, [.uid, .bodyStructure])).messages {
                guard let uid = message.uid, let structure = message.structure else { continue }
                let hasAttachments = MessageParts(structure).hasAttachments
                known.note(uid, hasAttachments)
                if hasAttachments { found.insert(uid) }
            }
            // Kept at once: a call that takes too long is not in vain.
            cache.attachments.keep(known, of: folder)
        }
        return found
    }
}
