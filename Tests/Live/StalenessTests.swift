import Foundation
import TestSupport
import Testing

/// Another mail program works in the mailbox, and other replicas do: the first call after each change shows it.
///
/// `XYNAP_SEED` repeats a run.
@Suite(.timeLimit(.minutes(4))) struct StalenessTests {
    let platform: Platform
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        alice = try await platform.commonTenant().newMailbox(unique("alice"))
    }

    @Test func aProxyIsNeverBehindAnotherClient() async throws {
        try await walk(150, asking: [alice.client])
    }

    @Test func replicasAreNeverBehindEachOther() async throws {
        let first = try await OwnService("webmail-proxy", of: platform, settings: [:])
        let second = try await OwnService("webmail-proxy", of: platform, settings: [:])
        try await walk(100, asking: [first, second].map { $0.client.with(alice.client.credentials) })
        first.stop()
        second.stop()
    }

    private func walk(_ steps: Int, asking replicas: [Client]) async throws {
        let given = ProcessInfo.processInfo.environment["XYNAP_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 0...UInt64.max)
        print("a walk of \(steps) steps through a mailbox: XYNAP_SEED=\(seed)")
        var walk = try await Walk(alice, asking: replicas, SeededGenerator(seed: seed))
        for step in 1...steps { try await walk.step("step \(step) of seed \(seed)") }
        walk.end()
    }
}

/// Random changes of a mailbox, each followed by what the API and a new IMAP session see.
private struct Walk {
    private static let webmail = "/api/v1/mail/webmail"
    private static let flags = ["\\Seen", "\\Flagged", "\\Answered", "$Work", "Later"]

    private let replicas: [Client]
    private let other: Outside
    private var dice: SeededGenerator
    /// What a new IMAP session saw last (`outside/other_client.py`).
    private var seen: JSON = .null
    private var mails = 0
    /// Of the folders of this walk.
    private var names: [String] = []

    init(_ mailbox: Mailbox, asking replicas: [Client], _ dice: SeededGenerator) async throws {
        self.replicas = replicas
        self.dice = dice
        let stack = mailbox.platform.stack
        other = try Outside(
            dialog: "other_client.py",
            [
                "host": .string(stack.imapHost), "port": .int(stack.imapPort), "user": .string(mailbox.email),
                "secret": .string(try await mailbox.mailToken()),
            ])
        guard try await other.next() == ["ready": true] else { throw Surprise("the other client did not log in") }
        seen = try await tell("look")
    }

    func end() { other.terminate() }

    @discardableResult private func tell(_ action: JSON...) async throws -> JSON {
        try other.say(String(decoding: try JSON.array(action).data, as: UTF8.self))
        return try await other.next()
    }

    /// One change, and three calls in any order that have to show it.
    mutating func step(_ name: String) async throws {
        let (done, folders) = try await change()
        let what = "\(name), \(done)"
        let folder = folders.randomElement(using: &dice) ?? "INBOX"
        let uid = anyUID(in: folder)
        var replies: [String: Reply] = [:]
        for call in ["folders", "page", "mail"].shuffled(using: &dice) {
            let path =
                switch call {
                case "folders": "/folders"
                case "page": "/messages/\(escaped(folder))?per_page=200"
                default: "/messages/\(escaped(folder))/\(uid)"
                }
            replies[call] = try await anyReplica().get(Self.webmail + path)
        }
        seen = try await tell("look")
        let state = seen[folder]
        if let reply = replies["folders"] { Self.check(folders: reply, seen, "\(what): folders") }
        if let reply = replies["page"] { Self.check(page: reply, state, "\(what): page of \(folder)") }
        if let reply = replies["mail"] { Self.check(mail: reply, uid, state, "\(what): mail \(uid) of \(folder)") }
    }

    private mutating func anyReplica() -> Client { replicas[Int.random(in: replicas.indices, using: &dice)] }

    private func messages(_ folder: String) -> [Int] { seen[folder]["messages"].items.compactMap { $0[0].int } }

    /// One that was there, or that may have come.
    private mutating func anyUID(in folder: String) -> Int {
        let uids = messages(folder)
        return (uids + [(uids.last ?? 0) + 1]).randomElement(using: &dice) ?? 1
    }

    private mutating func someUIDs(in folder: String) -> [Int] {
        Array(messages(folder).shuffled(using: &dice).prefix(Int.random(in: 1...3, using: &dice)))
    }

    // MARK: Changes

    /// - Returns: What was done, and the folders it was done to.
    private mutating func change() async throws -> (String, [String]) {
        let own = names.filter { seen.keys.contains($0) }
        let folder = (own + ["INBOX"]).randomElement(using: &dice) ?? "INBOX"
        let target = (own + ["INBOX", "Archive"]).filter { $0 != folder }.randomElement(using: &dice) ?? "Archive"
        let uids = someUIDs(in: folder)
        let set = uids.map(String.init).joined(separator: ",")
        switch Int.random(in: 0..<100, using: &dice) {
        case 0..<8 where own.count < 5: return try await makeFolder()
        case 8..<12 where own.contains(folder):
            try await tell("delete", .string(folder))
            return ("\(folder) deleted", [folder])
        case 12..<16 where own.contains(folder):
            let name = newName()
            try await tell("rename", .string(folder), .string(name))
            return ("\(folder) renamed to \(name)", [folder, name])
        case 16..<31 where !uids.isEmpty: return try await store(uids, set, in: folder)
        case 31..<41 where !uids.isEmpty:
            try await tell("expunge", .string(folder), .string(set))
            return ("\(set) of \(folder) expunged", [folder])
        case 41..<51 where !uids.isEmpty:
            try await tell("move", .string(folder), .string(set), .string(target))
            return ("\(set) moved from \(folder) to \(target)", [folder, target])
        case 51..<70 where !uids.isEmpty: return try await callBatch(uids, set, in: folder, target)
        default:
            mails += 1
            let flags = Self.flags.filter { _ in Int.random(in: 0..<4, using: &dice) == 0 }.joined(separator: " ")
            try await tell("append", .string(folder), "Mail \(mails)", .string("(\(flags))"))
            return ("mail \(mails) put into \(folder)", [folder])
        }
    }

    private mutating func newName() -> String {
        names.append("Folder-\(names.count + 1)")
        return names[names.count - 1]
    }

    /// A new one, or one of a name that another had.
    private mutating func makeFolder() async throws -> (String, [String]) {
        let former = names.filter { !seen.keys.contains($0) }.randomElement(using: &dice)
        let name: String
        if let former, Bool.random(using: &dice) { name = former } else { name = newName() }
        try await tell("create", .string(name))
        return ("\(name) made", [name])
    }

    private mutating func store(_ uids: [Int], _ set: String, in folder: String) async throws -> (String, [String]) {
        let sign = Bool.random(using: &dice) ? "+" : "-"
        let flag = Self.flags.randomElement(using: &dice) ?? "\\Seen"
        try await tell("store", .string(folder), .string(set), "\(sign)FLAGS", "(\(flag))")
        return ("\(sign)\(flag) for \(set) of \(folder)", [folder])
    }

    /// By the API: what one replica does, the next to be asked knows.
    private mutating func callBatch(
        _ uids: [Int], _ set: String, in folder: String, _ target: String
    ) async throws -> (String, [String]) {
        var body: JSON = ["uids": .array(uids.map(JSON.int))]
        let action = ["flags", "move", "delete"].randomElement(using: &dice) ?? "flags"
        body = body.with("action", .string(action))
        switch action {
        case "flags":
            let flag = Self.flags.randomElement(using: &dice) ?? "\\Seen"
            body = body.with("flags", [.string(flag)]).with("mode", Bool.random(using: &dice) ? "add" : "remove")
        case "move": body = body.with("target", .string(target))
        default: body = body.with("permanent", .bool(Bool.random(using: &dice)))
        }
        let reply = try await anyReplica().post("\(Self.webmail)/messages/\(escaped(folder))/batch", body)
        #expect(reply.status == 200 && reply.json["done"].int == uids.count, "\(body): \(reply.text)")
        return ("API: \(action) of \(set) in \(folder)", [folder, action == "move" ? target : folder])
    }

    // MARK: What must be seen

    private static func check(folders reply: Reply, _ seen: JSON, _ what: String) {
        var listed: [String: [JSON]] = [:]
        for folder in reply.json["items"].items where folder["selectable"] == true {
            listed[folder["path"].string ?? ""] = [folder["total"], folder["unseen"], folder["uid_validity"]]
        }
        var expected: [String: [JSON]] = [:]
        for name in seen.keys {
            let folder = seen[name]
            expected[name] = [.int(folder["messages"].items.count), folder["unseen"], folder["uid_validity"]]
        }
        #expect(listed == expected, "\(what)")
    }

    private static func check(page reply: Reply, _ state: JSON, _ what: String) {
        guard state != .null else {
            #expect(reply.status == 404, "\(what): \(reply.text.prefix(300))")
            return
        }
        let page = reply.json
        let items = page["items"].items.map { described($0) }.sorted { ($0[0].int ?? 0) < ($1[0].int ?? 0) }
        #expect(reply.status == 200 && JSON.array(items) == state["messages"], "\(what)")
        #expect(page["total"].int == items.count && page["unseen"] == state["unseen"], "\(what)")
        #expect(page["uid_validity"] == state["uid_validity"], "\(what)")
    }

    private static func check(mail reply: Reply, _ uid: Int, _ state: JSON, _ what: String) {
        guard let message = state["messages"].items.first(where: { $0[0].int == uid }) else {
            #expect(reply.status == 404, "\(what): \(reply.text.prefix(300))")
            return
        }
        #expect(reply.status == 200 && described(reply.json) == message, "\(what): \(reply.text.prefix(300))")
    }

    /// As the other client describes a message.
    private static func described(_ message: JSON) -> JSON {
        [message["uid"], message["subject"], .array(message["flags"].strings.sorted().map(JSON.string))]
    }
}
