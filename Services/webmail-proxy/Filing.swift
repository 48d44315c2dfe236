import IMAP
import Logging
import MailModel
import Storage

/// What a mailbox shows of a message that was sent from it: the copy in Sent, the flag on what was answered, the draft
/// gone.
struct Filing: Sendable {
    struct Copy: Sendable {
        let folder: String
        /// Nil where the server does not tell.
        let uid: UInt32?
    }

    let sessions: MailSessions
    let logger: Logger

    /// Does it all. Done again it changes nothing, so it may be cut short at any point.
    ///
    /// - Parameters:
    ///   - isFirst: Nobody has tried before: there is no need to look for a copy.
    ///   - message: The message, which may be large.
    /// - Throws: `Failure`.
    func file(
        _ plan: OutboxMessage.FilingPlan, messageID: String, of mailbox: Mailbox, isFirst: Bool,
        message: @escaping @Sendable () async throws -> [UInt8]
    ) async throws -> Copy {
        do {
            return try await attempt(plan, messageID, mailbox, isFirst: isFirst, message)
        } catch let failure as Failure where isFirst && failure.kind == .unavailable {
            // A session that died while it was idle; it may have taken the copy before.
            return try await attempt(plan, messageID, mailbox, isFirst: false, message)
        }
    }

    private func attempt(
        _ plan: OutboxMessage.FilingPlan, _ messageID: String, _ mailbox: Mailbox, isFirst: Bool,
        _ message: @escaping @Sendable () async throws -> [UInt8]
    ) async throws -> Copy {
        try await sessions.withSession(of: mailbox) { session in
            let copy = try await session.copyInSent(messageID, plan.copyHeaders, isFirst: isFirst, message)
            if let original = plan.original { try await session.mark(original) }
            if let draft = plan.draftUID {
                try await session.removeDraft(draft, uidValidity: plan.draftUIDValidity)
            }
            return copy
        }
    }
}

extension MailSession {
    fileprivate func copyInSent(
        _ messageID: String, _ headers: String, isFirst: Bool, _ message: @Sendable () async throws -> [UInt8]
    ) async throws -> Filing.Copy {
        let sent = try await folder(of: .sent)
        if !isFirst, let uid = try await uid(ofMessageID: messageID, in: sent) {
            return Filing.Copy(folder: sent.name, uid: uid)
        }
        let copy = Array(headers.utf8) + (try await message())
        let (folder, appended) = try await append(copy, to: .sent, flags: [.seen])
        return Filing.Copy(folder: folder.name, uid: appended?.uid)
    }

    /// Appends a message to the folder of that role, which is made when it has gone.
    func append(
        _ message: [UInt8], to role: FolderRole, flags: [MessageFlag]
    ) async throws -> (folder: MailboxName, appended: AppendedMessage?) {
        let folder = try await folder(of: role)
        do {
            return (folder, try await connection.run(.append(message, to: folder, flags: flags)))
        } catch IMAPError.no(.tryCreate, _) {
            roles[role] = nil
            let folder = try await self.folder(of: role)
            return (folder, try await connection.run(.append(message, to: folder, flags: flags)))
        }
    }

    /// The newest message of a folder with that id.
    func uid(ofMessageID id: String, in folder: MailboxName) async throws -> UInt32? {
        do { _ = try await select(folder) } catch let failure as Failure where failure.kind == .notFound { return nil }
        return try await found {
            let (_, found) = try await connection.pipeline(.noop, .uidSearch(.header("Message-ID", "<\(id)>")))
            return found.matches.ranges.last?.upperBound
        }
    }

    /// Flags what was answered or forwarded; what has gone needs none.
    fileprivate func mark(_ original: OutboxMessage.FilingPlan.Original) async throws {
        let folder = MailboxName(original.folder)
        var uid = original.uid
        if uid == nil, let id = original.messageID { uid = try await self.uid(ofMessageID: id, in: folder) }
        guard let uid else { return }
        do {
            _ = try await select(folder, uidValidity: original.uidValidity)
            let flag = MessageFlag(rawValue: original.flag)
            _ = try await found {
                let (_, stored, fetched) = try await connection.pipeline(
                    .noop, .uidStore(SequenceSet(uid), .add([flag]), silent: true),
                    .uidFetch(SequenceSet(uid), [.uid]))
                return (stored.messages + fetched.messages).first { $0.uid == uid }
            }
        } catch let failure as Failure where failure.kind == .notFound || failure.kind == .conflict {
        } catch IMAPError.no {
            // A folder that may be read only.
        }
    }

    /// Removes the draft that was sent; what its uid names by now stays when it is none.
    fileprivate func removeDraft(_ uid: UInt32, uidValidity: UInt32?) async throws {
        let drafts = try await folder(of: .drafts)
        do { _ = try await select(drafts, uidValidity: uidValidity) } catch let failure as Failure
            where failure.kind == .notFound || failure.kind == .conflict
        { return }
        let flags = try await found {
            let (_, fetched) = try await connection.pipeline(.noop, .uidFetch(SequenceSet(uid), [.uid, .flags]))
            return fetched.messages.last { $0.uid == uid && $0.flags != nil }?.flags
        }
        guard flags?.contains(.draft) == true else { return }
        try await expunge(uid, in: drafts, uidValidity: uidValidity)
    }

    /// Removes a message for good; one that has gone already is no error.
    func expunge(_ uid: UInt32, in folder: MailboxName, uidValidity: UInt32?) async throws {
        _ = try await select(folder, uidValidity: uidValidity)
        _ = try await found {
            let (_, stored, fetched, _) = try await connection.pipeline(
                .noop, .uidStore(SequenceSet(uid), .add([.deleted]), silent: true),
                .uidFetch(SequenceSet(uid), [.uid]), .uidExpunge(SequenceSet(uid)))
            return (stored.messages + fetched.messages).first { $0.uid == uid }
        }
    }
}
