import HTTPService
import HTTPTypes
import Hummingbird
import HummingbirdCore
import IMAP
import MailModel

/// Which changes of a folder are asked for: those since a state that a page, the folder list or an earlier answer told.
struct ChangesRequest: Sendable, Equatable {
    /// The mod-sequence of that state (RFC 7162 §3.1).
    let since: UInt64
    /// UIDNEXT in that state, if the caller knows: tells new messages from changed ones for certain.
    let uidNext: UInt32?
    /// The rest of an answer that was cut off behind this uid.
    let after: UInt32

    /// - Throws: `Failure` of kind `invalid` naming the parameter.
    init(_ parameters: FlatDictionary<Substring, Substring>) throws(Failure) {
        guard let text = parameters["since"] else { throw .invalid("since", code: "required", "must be a modseq") }
        guard let since = UInt64(text), (1...UInt64(Int64.max)).contains(since) else {
            throw .invalid("since", code: "invalid_value", "must be a modseq that a page or a folder told")
        }
        self.since = since
        uidNext = try Self.uid("uid_next", in: parameters)
        after = try Self.uid("after", in: parameters) ?? 0
    }

    private static func uid(
        _ name: String, in parameters: FlatDictionary<Substring, Substring>
    ) throws(Failure) -> UInt32? {
        guard let number = try ListRequest.number(name, in: parameters) else { return nil }
        guard let uid = UInt32(exactly: number), uid > 0, uid < .max else {
            throw .invalid(name, code: "out_of_range", "must be from 1 to 4294967294")
        }
        return uid
    }
}

/// What happened in a folder since a state.
struct FolderChanges: Sendable {
    /// As many messages as one answer tells of, and as many of them with all that a page shows.
    static let maximumMessages = 1000
    static let maximumNew = 200
    /// As many uids as one answer calls gone; beyond, listing again is cheaper for all.
    static let maximumGone = 10_000
    /// In larger folders the server is asked how many messages have changed before it tells them.
    static let largeFolder: UInt32 = 20_000

    let folder: String
    let uidValidity: UInt32
    let uidNext: UInt32?
    let modSeq: UInt64
    let total: UInt32?
    let unseen: UInt32?
    var new: [ListedMessage] = []
    var changed: [(uid: UInt32, flags: [MessageFlag], modSeq: UInt64?)] = []
    var gone: [UInt32] = []
    /// The answer was cut off behind this uid.
    var cutAfter: UInt32?

    func json() -> [UInt8] {
        var json = JSONWriter(capacity: 512 + new.count * 1024 + changed.count * 128 + gone.count * 8)
        json.object { json in
            json.field("folder", folder)
            json.field("uid_validity", uidValidity)
            json.field("uid_next", uidNext)
            json.field("modseq", modSeq)
            json.field("total", total)
            json.field("unseen", unseen)
            json.key("new")
            json.array(new) { $0.written($1.json[...]) }
            json.key("changed")
            json.array(changed) { json, message in
                json.object { json in
                    json.field("uid", message.uid)
                    json.field("modseq", message.modSeq)
                    MessageItem.write(message.flags, to: &json)
                }
            }
            json.key("gone")
            json.array(gone) { $0.value($1) }
            json.field("more", cutAfter != nil)
            json.field("after", cutAfter)
        }
        return json.bytes
    }
}

extension MailSession {
    /// What is new, changed and gone in a folder since a state (RFC 7162): one round trip, another when new messages lie
    /// deep, or the folder is large.
    ///
    /// - Throws: `Failure` `notFound`; `conflict` `uid_validity_changed`, or `changes_unknown` when the folder cannot
    ///   tell and has to be listed again.
    func changes(
        in folder: MailboxName, _ request: ChangesRequest, uidValidity: UInt32?
    ) async throws -> FolderChanges {
        for _ in 0..<2 {
            let told = try await askForChanges(in: folder, request, uidValidity: uidValidity)
            // What came while the server answered may be told in half.
            let newest = told.messages.values.lazy.compactMap(\.modSeq).max() ?? 0
            if !hearNews(), newest <= told.status?.highestModSeq ?? 0 { return try await answer(told, request) }
        }
        return try await answer(try await askForChanges(in: folder, request, uidValidity: uidValidity), request)
    }

    private struct Told {
        let selection: Selection
        var status: MailboxStatus?
        /// By uid; some with all that a page shows.
        var messages: [UInt32: FetchedMessage] = [:]
        var gone = SequenceSet()
        /// The server was asked no further than this uid.
        let end: UInt32?

        init(selection: Selection, end: UInt32?) {
            self.selection = selection
            self.end = end
        }

        mutating func add(_ fetched: FetchedMessages) {
            for message in fetched.messages {
                guard let uid = message.uid else { continue }
                guard var known = messages[uid], known.envelope != nil || message.envelope == nil else {
                    messages[uid] = message
                    continue
                }
                known.flags = message.flags ?? known.flags
                known.modSeq = max(message.modSeq ?? 0, known.modSeq ?? 0)
                messages[uid] = known
            }
            for range in fetched.vanished.ranges { gone.append(range) }
        }

        /// Where the messages without a gap at the end of the folder begin: what is new is among them.
        func firstOfTheLast(_ uids: [UInt32]) -> UInt32 {
            var first = UInt32.max, number = status?.messages ?? 0
            for uid in uids.reversed() {
                guard number > 0, messages[uid]?.sequenceNumber == number else { break }
                first = uid
                number -= 1
            }
            return first
        }
    }

    private func askForChanges(
        in folder: MailboxName, _ request: ChangesRequest, uidValidity: UInt32?
    ) async throws -> Told {
        let selection = try await select(folder, uidValidity: uidValidity)
        var end: UInt32?
        if selection.exists > FolderChanges.largeFolder {
            let found = try await connection.run(
                .uidSearch(
                    .and([.uid(SequenceSet((request.after + 1)...)), .modSeq(request.since + 1)]),
                    returning: [.count, .partial(1...UInt32(FolderChanges.maximumMessages + 1))]))
            let uids = found.matches.numbers(limit: FolderChanges.maximumMessages + 1)
            if uids.count > FolderChanges.maximumMessages { end = uids[FolderChanges.maximumMessages - 1] }
        }
        var told = Told(selection: selection, end: end)
        let all = IMAPCommand.uidFetch(
            SequenceSet((request.after + 1)...(end ?? .max)), [.uid, .flags, .modSeq], changedSince: request.since,
            vanished: true)
        guard selection.exists > 0 else {
            let (_, status, changed, _) = try await connection.pipeline(
                .enable([.qresync]), .page(folder), all, .noop)
            told.status = status
            told.add(changed)
            return told
        }
        // New messages are among the last, and wanted whole.
        let last = SequenceSet((selection.exists - min(selection.exists, UInt32(FolderChanges.maximumNew)) + 1)...)
        let (_, status, changed, newest, _) = try await connection.pipeline(
            .enable([.qresync]), .page(folder), all,
            .fetch(last, MessageItem.fetchItems + [.modSeq], changedSince: request.since), .noop)
        told.status = status
        told.add(changed)
        told.add(newest)
        return told
    }

    private func answer(_ told: Told, _ request: ChangesRequest) async throws -> FolderChanges {
        guard let modSeq = told.status?.highestModSeq, request.since <= modSeq else { throw Self.changesUnknown }
        var changes = FolderChanges(
            folder: told.selection.folder.name, uidValidity: told.selection.uidValidity,
            uidNext: told.status?.uidNext, modSeq: modSeq, total: told.status?.messages, unseen: told.status?.unseen)
        changes.cutAfter = told.end
        let uids = told.messages.keys.filter { $0 > request.after && $0 <= told.end ?? .max }.sorted()
        let firstNew = request.uidNext ?? told.firstOfTheLast(uids)
        var new: [UInt32] = []
        for (index, uid) in uids.enumerated() {
            let isNew = uid >= firstNew
            guard index < FolderChanges.maximumMessages, !isNew || new.count < FolderChanges.maximumNew else {
                changes.cutAfter = uids[index - 1]
                break
            }
            if isNew {
                new.append(uid)
            } else if let message = told.messages[uid] {
                changes.changed.append((uid, (message.flags ?? []).filter { $0 != .recent }, message.modSeq))
            }
        }
        changes.new = try await listed(new, told)
        let gone = told.gone.numbers(limit: FolderChanges.maximumGone + 1)
        guard gone.count <= FolderChanges.maximumGone else { throw Self.changesUnknown }
        changes.gone = gone.filter { $0 > request.after && $0 <= changes.cutAfter ?? .max }.sorted()
        return changes
    }

    /// New messages with all that a page shows; those that lie deep have to be fetched.
    private func listed(_ uids: [UInt32], _ told: Told) async throws -> [ListedMessage] {
        var messages = told.messages
        let deep = uids.filter { messages[$0]?.envelope == nil }
        if !deep.isEmpty {
            let fetched = try await connection.run(.uidFetch(SequenceSet(deep), MessageItem.fetchItems))
            for message in fetched.messages where message.envelope != nil {
                if let uid = message.uid { messages[uid] = message }
            }
        }
        return uids.compactMap { uid in
            messages[uid].flatMap { ListedMessage($0, uidValidity: told.selection.uidValidity) }
        }
    }

    private static let changesUnknown = Failure.conflict(
        "changes_unknown", "The folder cannot tell what has changed since; list it again.")
}
