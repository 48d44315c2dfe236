import HTTPService
import IMAP
import MailModel

/// One change of many messages of a folder, by one IMAP command.
struct MessageBatch: Decodable, Sendable {
    enum Action: String, Sendable, Decodable, CaseIterable { case move, copy, delete, flags }

    /// As many messages as one call may change.
    static let maximumCount = 1000

    let uids: [UInt32]
    let action: Action
    /// Where to move or copy them: the path of a folder.
    let target: String?
    let flags: [String]?
    let mode: FlagMode?
    /// Delete for good, not to Trash.
    let permanent: Bool?

    /// What became of the messages.
    struct Outcome: Sendable {
        var done: Set<UInt32> = []
        var target: MailboxName?
        var moved = TransferredMessages()
        var flags: [UInt32: [MessageFlag]] = [:]

        fileprivate mutating func add(_ later: Outcome) {
            done.formUnion(later.done)
            target = later.target ?? target
            moved.uidValidity = later.moved.uidValidity ?? moved.uidValidity
            moved.uids.merge(later.moved.uids) { first, _ in first }
            flags.merge(later.flags) { _, later in later }
        }
    }

    /// The uids, each once, in order.
    var distinctUIDs: [UInt32] { Array(Set(uids)).sorted() }

    /// - Throws: `Failure` of kind `invalid` naming the field.
    func check(in folder: MailboxName) throws(Failure) {
        guard (1...Self.maximumCount).contains(uids.count) else {
            throw .invalid("uids", code: "out_of_range", "must hold 1 to \(Self.maximumCount) uids")
        }
        for (index, uid) in uids.enumerated() where uid == 0 || uid == .max {
            throw .invalid("uids.\(index)", code: "out_of_range", "must be from 1 to 4294967294")
        }
        switch action {
        case .move, .copy:
            guard let target, !target.isEmpty else { throw .invalid("target", code: "required", "must name a folder") }
            try MoveRequest.check(MailboxName(target), from: action == .move ? folder : nil)
        case .flags:
            guard flags != nil else { throw .invalid("flags", code: "required", "must be given") }
        case .delete: break
        }
        let given: [(String, Bool, Set<Action>)] = [
            ("target", target != nil, [.move, .copy]), ("flags", flags != nil, [.flags]),
            ("mode", mode != nil, [.flags]), ("permanent", permanent != nil, [.delete]),
        ]
        for (field, isGiven, actions) in given where isGiven && !actions.contains(action) {
            throw .invalid(field, code: "not_applicable", "does not go with \(action.rawValue)")
        }
    }

    /// Carries it out; for those that the session did not know of yet, once more.
    func run(on session: MailSession, in folder: MailboxName, _ pin: UIDValidityPin) async throws -> Outcome {
        var outcome = try await session.acting { try await act(on: distinctUIDs, session, folder, pin) }
        let missing = distinctUIDs.filter { !outcome.done.contains($0) }
        if !missing.isEmpty, session.hearNews() {
            outcome.add(try await session.acting { try await act(on: missing, session, folder, pin) })
        }
        return outcome
    }

    private func act(
        on uids: [UInt32], _ session: MailSession, _ folder: MailboxName, _ pin: UIDValidityPin
    ) async throws -> Outcome {
        var outcome = Outcome()
        switch action {
        case .move, .copy:
            let target = MailboxName(target ?? "")
            outcome.target = target
            outcome.moved =
                action == .move
                ? try await session.move(uids, from: folder, to: target, pin)
                : try await session.copy(uids, from: folder, to: target, pin)
            outcome.done = Set(outcome.moved.uids.keys)
        case .delete:
            (outcome.done, outcome.target, outcome.moved) = try await session.delete(
                uids, from: folder, permanently: permanent ?? false, pin)
        case .flags:
            let change = FlagRequest(flags: flags ?? [], mode: mode)
            outcome.flags = try await session.setFlags(
                try change.checkedFlags(), mode: mode ?? .add, of: uids, in: folder, pin)
            outcome.done = Set(outcome.flags.keys)
        }
        return outcome
    }

    func json(_ outcome: Outcome, folder: MailboxName, uidValidity: UInt32?) -> [UInt8] {
        var json = JSONWriter(capacity: 256 + uids.count * 48)
        json.object { json in
            json.field("folder", folder.name)
            json.field("uid_validity", uidValidity)
            json.field("action", action.rawValue)
            json.field("target", outcome.target?.name)
            json.field("target_uid_validity", outcome.moved.uidValidity)
            json.field("done", outcome.done.count)
            json.key("results")
            json.array(distinctUIDs) { json, uid in
                json.object { json in
                    json.field("uid", uid)
                    json.field("status", outcome.done.contains(uid) ? "done" : "missing")
                    if outcome.target != nil { json.field("new_uid", outcome.moved.uids[uid]) }
                    if let flags = outcome.flags[uid] { json.field("flags", flags.map(\.rawValue)) }
                }
            }
        }
        return json.bytes
    }
}
