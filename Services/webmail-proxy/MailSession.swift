import IMAP
import MailModel
import NIOConcurrencyHelpers
import NIOCore

/// An IMAP connection that is logged in to one mailbox, and the folder it has selected.
///
/// `MailSessions` leases it to one call at a time. What the calls do with it stands in extensions beside their
/// results: `folders`, `page`, `open`, `setFlags`, `move`, `delete`, `append`.
final class MailSession: Sendable {
    /// A folder that is open on the connection.
    struct Selection: Sendable {
        let folder: MailboxName
        let uidValidity: UInt32
        /// How many messages it held when last heard of; sequence numbers are counted from it.
        var exists: UInt32
        /// Opened within two seconds of the folder's making. Dovecot knows a folder that is made anew under a session
        /// by the second of its making: one deleted and made again that quickly it takes for the old one.
        var isYoung = false
    }

    /// The mailbox, by address.
    let account: String
    let connection: IMAPConnection
    /// Milliseconds since 1970: a revocation made later ends the session.
    let startedAt: Int64
    let cache: FolderCache
    private let state = NIOLockedValueBox(State())

    private struct State {
        var selection: Selection?
        var calm: Calm?
        var roles: [FolderRole: MailboxName] = [:]
    }

    init(account: String, connection: IMAPConnection, startedAt: Int64, cache: FolderCache) {
        self.cache = cache
        self.account = account
        self.connection = connection
        self.startedAt = startedAt
    }

    var selection: Selection? { state.withLockedValue { $0.selection } }
    var isOpen: Bool { connection.isOpen }

    /// The folders with a special use, as far as they were asked for on this session.
    var roles: [FolderRole: MailboxName] {
        get { state.withLockedValue { $0.roles } }
        set { state.withLockedValue { $0.roles = newValue } }
    }

    /// Opens a folder, unless it is open already, which costs nothing.
    ///
    /// - Parameter uidValidity: What the caller believes the folder's UIDVALIDITY to be (RFC 9051 §2.3.1.1).
    /// - Throws: `Failure` `notFound`; `conflict` `uid_validity_changed` when the caller's uids name other messages now.
    func select(_ folder: MailboxName, uidValidity: UInt32? = nil) async throws -> Selection {
        var selection = try await selected(folder)
        if let uidValidity, uidValidity != selection.uidValidity {
            // The caller may know of a folder made anew before this session does.
            forgetSelection()
            selection = try await selected(folder)
        }
        if let uidValidity, uidValidity != selection.uidValidity {
            throw Failure.conflict(
                "uid_validity_changed", "The folder was made anew and its uids name other messages now; list it again.")
        }
        return selection
    }

    /// Notes how many messages the selected folder holds by now.
    func noteExists(_ count: UInt32) { state.withLockedValue { $0.selection?.exists = count } }

    /// The mod-sequence at which everything was known of the selected folder, and how many writes had gone out by then.
    private struct Calm: Equatable {
        let modSeq: UInt64
        let flushes: Int
    }

    /// Notes that nothing has changed in the selected folder beyond this mod-sequence.
    func noteCalm(at modSeq: UInt64?) {
        let calm = modSeq.map { Calm(modSeq: $0, flushes: connection.traffic.flushes) }
        state.withLockedValue { $0.calm = calm }
    }

    /// Whether that is still the last thing the connection was used for: then whatever changes in the folder is told
    /// behind the next command (RFC 9051 §7.4, §7.5), and where nothing is told nothing has changed.
    func isCalm(at modSeq: UInt64) -> Bool {
        let calm = Calm(modSeq: modSeq, flushes: connection.traffic.flushes)
        return state.withLockedValue { $0.calm == calm }
    }

    /// Takes into account what the server said unasked.
    ///
    /// Dovecot carries out the commands of a pipeline first and looks at its end for what others changed, wherever in it
    /// the NOOP stands. So an answer is as new as the call only when no news came behind it.
    ///
    /// - Returns: Whether the selected folder had changed.
    @discardableResult func hearNews() -> Bool {
        let events = connection.takeEvents()
        guard !events.isEmpty else { return false }
        return state.withLockedValue { state in
            var hasChanged = false
            for event in events {
                let exists = state.selection?.exists ?? 0
                switch event {
                case .exists(let count): state.selection?.exists = count
                case .expunged: state.selection?.exists = exists > 0 ? exists - 1 : 0
                case .vanished(let uids):
                    state.selection?.exists = exists - UInt32(clamping: min(uids.count, Int(exists)))
                case .fetched: break
                case .lost: state.selection = nil
                // Dovecot could not look into the folder, as when it was deleted and made anew.
                case .status(let status) where status.condition == .no: state.selection = nil
                default: continue
                }
                hasChanged = true
            }
            if hasChanged { state.calm = nil }
            return hasChanged
        }
    }

    /// What `look` finds; when it finds nothing but the folder turns out to have changed, what it finds then: a message
    /// that has just come in is not known to every session yet.
    func found<Value>(_ look: () async throws -> Value?) async throws -> Value? {
        if let value = try await look() { return value }
        return hearNews() ? try await look() : nil
    }

    /// Opens the folder anew when it is needed next.
    func forgetSelection() { state.withLockedValue { $0.selection = nil } }

    private func selected(_ folder: MailboxName) async throws -> Selection {
        if let selection, selection.folder == folder, !selection.isYoung { return selection }
        // A SELECT that fails leaves no folder open (RFC 9051 §6.3.2).
        state.withLockedValue { $0.selection = nil }
        do {
            let opened = try await connection.run(.select(folder))
            var selection = Selection(folder: folder, uidValidity: opened.uidValidity, exists: opened.exists)
            // UIDVALIDITY is the second of the making, or a few more; INBOX is never deleted.
            let now = Timestamp.now() / 1000, made = Int64(opened.uidValidity)
            selection.isYoung = folder != .inbox && (now - 2...now + 3600).contains(made)
            state.withLockedValue { [selection] in $0.selection = selection }
            return selection
        } catch let error as IMAPError where error.isMissingFolder {
            throw Failure.notFound("This folder")
        }
    }
}

extension IMAPError {
    /// Whether the server refused since there is no such folder, or none that could hold messages.
    var isMissingFolder: Bool {
        switch self {
        case .no(.unavailable, _), .no(.serverBug, _), .no(.inUse, _), .no(.limit, _), .no(.overQuota, _),
            .no(.expungeIssued, _):
            false
        case .no: true
        default: false
        }
    }
}
