import IMAP
import MailModel
import NIOConcurrencyHelpers

/// How flags are to change.
enum FlagMode: String, Sendable, Decodable, CaseIterable { case add, remove, replace }

/// The UIDVALIDITY of a folder throughout a call: what the caller says, else what the call found first. A call that is
/// made once more on another session, or after the folder was made anew, never touches another message.
final class UIDValidityPin: Sendable {
    private let box: NIOLockedValueBox<UInt32?>

    init(_ given: UInt32?) { box = NIOLockedValueBox(given) }

    var value: UInt32? { box.withLockedValue { $0 } }

    fileprivate func note(_ found: UInt32) { box.withLockedValue { $0 = $0 ?? found } }
}

/// What COPY or MOVE did.
struct TransferredMessages: Sendable {
    /// UIDVALIDITY of the target; nil where the server does not tell.
    var uidValidity: UInt32?
    /// The uids in the target by those in the source.
    var uids: [UInt32: UInt32] = [:]
}

extension MailSession {
    /// Opens a folder for a change of messages in it.
    ///
    /// - Throws: `Failure` `notFound`, `conflict` `uid_validity_changed`.
    @discardableResult func select(_ folder: MailboxName, _ pin: UIDValidityPin) async throws -> Selection {
        let selection = try await select(folder, uidValidity: pin.value)
        pin.note(selection.uidValidity)
        return selection
    }

    /// Changes the flags of messages: one round trip, another when the folder had been changed by others.
    ///
    /// - Returns: The flags now, of those that are there.
    func setFlags(
        _ flags: [MessageFlag], mode: FlagMode, of uids: [UInt32], in folder: MailboxName, _ pin: UIDValidityPin
    ) async throws -> [UInt32: [MessageFlag]] {
        let change: FlagChange =
            switch mode {
            case .add: .add(flags)
            case .remove: .remove(flags)
            case .replace: .replace(flags)
            }
        let set = SequenceSet(uids)
        var now: [UInt32: [MessageFlag]] = [:]
        // Once more when others had changed something: the answer knows neither their flags nor their messages.
        for _ in 0..<2 {
            try await select(folder, pin)
            // What was told before is not news to this answer.
            hearNews()
            // A STORE that changes nothing need not be answered with the flags: FETCH always is. Dovecot answers that
            // before it ends the STORE, so the answer may stand with either; one with the new MODSEQ alone may follow it.
            let (stored, fetched, _) = try await connection.pipeline(
                .uidStore(set, change, silent: true), .uidFetch(set, [.uid, .flags]), .noop)
            now = [:]
            for message in stored.messages + fetched.messages {
                if let uid = message.uid, let flags = message.flags, set.contains(uid) {
                    now[uid] = flags.filter { $0 != .recent }
                }
            }
            if !hearNews() { break }
        }
        return now
    }

    /// Moves messages (RFC 6851): one round trip.
    ///
    /// - Throws: `Failure` `notFound` for a folder, `conflict` `uid_validity_changed`.
    func move(
        _ uids: [UInt32], from folder: MailboxName, to target: MailboxName, _ pin: UIDValidityPin
    ) async throws -> TransferredMessages {
        try await select(folder, pin)
        return try await transfer {
            try await connection.pipeline(.guarding, .uidMove(SequenceSet(uids), to: target), .noop).1
        }
    }

    /// Copies messages: one round trip.
    ///
    /// - Throws: as for `move`; `unavailable` when the connection is lost, since the copies may have been made.
    func copy(
        _ uids: [UInt32], from folder: MailboxName, to target: MailboxName, _ pin: UIDValidityPin
    ) async throws -> TransferredMessages {
        try await select(folder, pin)
        do {
            return try await transfer {
                try await connection.pipeline(.uidCopy(SequenceSet(uids), to: target), .noop).0
            }
        } catch let error as IMAPError where error.endsConnection {
            throw Failure.unavailable("Dovecot")
        } catch IMAPError.no(nil, _) {
            // The folder is no longer the one that is open, and nothing was copied: another session knows better.
            throw IMAPError.closed
        }
    }

    /// Deletes messages for good: one round trip.
    ///
    /// - Returns: Those that were there.
    func expunge(_ uids: [UInt32], from folder: MailboxName, _ pin: UIDValidityPin) async throws -> Set<UInt32> {
        try await select(folder, pin)
        let set = SequenceSet(uids)
        let (guarded, stored, fetched, _, _) = try await connection.pipeline(
            .guarding, .uidStore(set, .add([.deleted]), silent: true), .uidFetch(set, [.uid]), .uidExpunge(set), .noop)
        // Dovecot ends a command late, so that the answer of one may stand with another before it.
        let told = guarded.messages + stored.messages + fetched.messages
        return Set(told.compactMap(\.uid)).intersection(uids)
    }

    private func transfer(_ run: () async throws -> CopiedMessages?) async throws -> TransferredMessages {
        do {
            // A server with UIDPLUS says nothing when none of the messages was there.
            guard let copied = try await run() else { return TransferredMessages() }
            let from = copied.source.numbers(limit: 100_000), to = copied.destination.numbers(limit: 100_000)
            return TransferredMessages(
                uidValidity: copied.uidValidity, uids: Dictionary(zip(from, to)) { first, _ in first })
        } catch IMAPError.no(.tryCreate, _), IMAPError.no(.nonExistent, _), IMAPError.no(.cannot, _) {
            throw Failure.notFound("The target folder")
        }
    }

    // MARK: One message

    /// Changes the flags of a message.
    ///
    /// - Returns: The flags now.
    /// - Throws: `Failure` `notFound`, `conflict` `uid_validity_changed`.
    func setFlags(
        _ flags: [MessageFlag], mode: FlagMode, of uid: UInt32, in folder: MailboxName, uidValidity: UInt32?
    ) async throws -> [MessageFlag] {
        let pin = UIDValidityPin(uidValidity)
        return try await acting {
            guard let now = try await setFlags(flags, mode: mode, of: [uid], in: folder, pin)[uid] else {
                throw Failure.notFound("This message")
            }
            return now
        }
    }

    /// Moves a message (RFC 6851).
    ///
    /// - Returns: Its uid in the target folder; nil where the server does not tell.
    /// - Throws: `Failure` `notFound` for the message or a folder, `conflict` `uid_validity_changed`.
    func move(
        _ uid: UInt32, from folder: MailboxName, to target: MailboxName, _ pin: UIDValidityPin
    ) async throws -> UInt32? {
        try await acting {
            let moved = try await move([uid], from: folder, to: target, pin)
            if let new = moved.uids[uid] { return new }
            // A server without UIDPLUS says as little of a message it moved as of one that was not there.
            if !connection.capabilities.contains(.uidPlus) { return nil }
            throw Failure.notFound("This message")
        }
    }

    /// Moves a message to Trash; deletes it for good from there, or when asked to.
    ///
    /// - Throws: `Failure` `notFound`, `conflict` `uid_validity_changed`.
    func delete(_ uid: UInt32, from folder: MailboxName, permanently: Bool, _ pin: UIDValidityPin) async throws {
        try await acting {
            let done: Set<UInt32> = try await delete([uid], from: folder, permanently: permanently, pin).done
            guard done.contains(uid) else { throw Failure.notFound("This message") }
        }
    }

    /// Moves messages to Trash; deletes them for good from there, or when asked to.
    ///
    /// - Returns: Those that were there; and where they are now, when they were moved.
    func delete(
        _ uids: [UInt32], from folder: MailboxName, permanently: Bool, _ pin: UIDValidityPin
    ) async throws -> (done: Set<UInt32>, target: MailboxName?, moved: TransferredMessages) {
        try await select(folder, pin)
        let trash = try await self.folder(of: .trash)
        guard !permanently, folder != trash else {
            return (try await expunge(uids, from: folder, pin), nil, TransferredMessages())
        }
        do {
            let moved = try await move(uids, from: folder, to: trash, pin)
            return (Set(moved.uids.keys), trash, moved)
        } catch let error as Failure where error == .notFound("The target folder") {
            // Somebody removed the folder since this session heard of it.
            roles = [:]
            let trash = try await self.folder(of: .trash)
            let moved = try await move(uids, from: folder, to: trash, pin)
            return (Set(moved.uids.keys), trash, moved)
        }
    }
}

extension IMAPCommand where Output == FetchedMessages {
    /// The first byte of the last message. Dovecot moves and expunges by uid alone: when the folder was deleted and made
    /// anew under the session, in the new one. Reading from a message is what makes it notice, and end the connection
    /// before it comes to the next command.
    fileprivate static var guarding: Self {
        .uidFetch(SequenceSet(UInt32.max), [.uid, .body(.message, bytes: 0..<1)])
    }
}
