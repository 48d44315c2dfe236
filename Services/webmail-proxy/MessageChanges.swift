import IMAP
import MailModel

/// How flags are to change.
enum FlagMode: String, Sendable, Decodable, CaseIterable { case add, remove, replace }

extension MailSession {
    /// Changes the flags of a message.
    ///
    /// - Returns: The flags now.
    /// - Throws: `Failure` `notFound`, `conflict` `uid_validity_changed`.
    func setFlags(
        _ flags: [MessageFlag], mode: FlagMode, of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?
    ) async throws -> [MessageFlag] {
        _ = try await select(folder, uidValidity: uidValidity)
        let change: FlagChange =
            switch mode {
            case .add: .add(flags)
            case .remove: .remove(flags)
            case .replace: .replace(flags)
            }
        // A STORE that changes nothing need not be answered with the flags: FETCH always is. Dovecot answers that before
        // it ends the STORE, so the answer may stand with either; one with the new MODSEQ alone may follow it.
        let now = try await found {
            let (stored, fetched, _) = try await connection.pipeline(
                .uidStore(SequenceSet(uid), change, silent: true), .uidFetch(SequenceSet(uid), [.uid, .flags]), .noop)
            return (stored.messages + fetched.messages).last { $0.uid == uid && $0.flags != nil }?.flags
        }
        guard let now else { throw Failure.notFound("This message") }
        return now.filter { $0 != .recent }
    }

    /// Moves a message (RFC 6851).
    ///
    /// - Returns: Its uid in the target folder; nil where the server does not tell.
    /// - Throws: `Failure` `notFound` for the message or a folder, `conflict` `uid_validity_changed`.
    func move(
        _ uid: UInt32, from folder: MailboxName, to target: MailboxName, uidValidity: UInt32?
    ) async throws -> UInt32? {
        _ = try await select(folder, uidValidity: uidValidity)
        do {
            let moved = try await found {
                try await connection.pipeline(.uidMove(SequenceSet(uid), to: target), .noop).0
            }
            if let moved { return moved.destination.ranges.first?.lowerBound }
        } catch let error as IMAPError where error.isMissingFolder {
            throw Failure.notFound("The target folder")
        }
        // A server without UIDPLUS says as little of a message it moved as of one that was not there.
        if !connection.capabilities.contains(.uidPlus) { return nil }
        throw Failure.notFound("This message")
    }

    /// Moves a message to Trash; deletes it for good from there, or when asked to.
    ///
    /// - Throws: `Failure` `notFound`, `conflict` `uid_validity_changed`.
    func delete(_ uid: UInt32, from folder: MailboxName, permanently: Bool, uidValidity: UInt32?) async throws {
        _ = try await select(folder, uidValidity: uidValidity)
        let trash = try await self.folder(of: .trash)
        guard permanently || folder == trash else {
            do { _ = try await move(uid, from: folder, to: trash, uidValidity: uidValidity) } catch let error as Failure
                where error == .notFound("The target folder")
            {
                // Somebody removed the folder since this session heard of it.
                roles[.trash] = nil
                _ = try await move(uid, from: folder, to: try await self.folder(of: .trash), uidValidity: uidValidity)
            }
            return
        }
        let deleted = try await found {
            let (stored, fetched, _, _) = try await connection.pipeline(
                .uidStore(SequenceSet(uid), .add([.deleted]), silent: true),
                .uidFetch(SequenceSet(uid), [.uid]), .uidExpunge(SequenceSet(uid)), .noop)
            return (stored.messages + fetched.messages).first { $0.uid == uid }
        }
        guard deleted != nil else { throw Failure.notFound("This message") }
    }

    /// Puts a copy of what was sent into the Sent folder.
    func appendToSent(_ message: [UInt8]) async throws -> (folder: String, uid: UInt32?) {
        let sent = try await folder(of: .sent)
        do {
            let appended = try await connection.run(.append(message, to: sent, flags: [.seen]))
            return (sent.name, appended?.uid)
        } catch IMAPError.no(.tryCreate, _) {
            roles[.sent] = nil
            let sent = try await folder(of: .sent)
            let appended = try await connection.run(.append(message, to: sent, flags: [.seen]))
            return (sent.name, appended?.uid)
        }
    }
}
