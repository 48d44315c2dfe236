import MailModel
import Testing

@testable import MailWatcher

/// What mail servers push, and what it makes the watch tell.
struct PushTests {
    static func note(_ body: String) throws -> PushNote { try PushNote(Array(body.utf8)) }

    static func arrival(_ uid: UInt32, validity: UInt32 = 7) -> PushNote.Arrival {
        PushNote.Arrival(folder: "INBOX", uidValidity: validity, message: WatchTests.mail(uid))
    }

    static func push(_ uids: [UInt32], now: FolderState? = nil) -> PushNote {
        var push = PushNote(account: "a@example.com")
        push.arrivals = uids.map { arrival($0) }
        if let now { push.states["INBOX"] = now }
        return push
    }

    @Test("the Lua driver's push holds all that an event tells")
    func lua() throws {
        let push = try Self.note(
            #"""
            {"user":"A@example.com","events":[{"event":"MessageNew","folder":"INBOX","uid":42,"uid_validity":7,
             "date":1767323045,"from":"\u0022S. é\u0022 <s@example.org>","from_address":"s@example.org",
             "from_display_name":"S. é","subject":"Grüße","snippet":" The\n body ","flags":["\\Recent"],
             "keywords":["$Label"],"new_field":1}],
             "folders":[{"folder":"INBOX","uid_validity":7,"uid_next":43,"modseq":9,"messages":42,"unseen":1}],
             "more":false}
            """#)
        #expect(push.account == "a@example.com" && !push.needsLook)
        let message = MessageSummary(
            uid: 42, fromAddr: "s@example.org", fromName: "S. é", subject: "Grüße", date: "2026-01-02T03:04:05Z",
            preview: "The body", flags: ["$Label"])
        #expect(push.arrivals == [.init(folder: "INBOX", uidValidity: 7, message: message)])
        #expect(push.states["INBOX"] == FolderState(uidValidity: 7, uidNext: 43, modSeq: 9, exists: 42, unseen: 1))
    }

    @Test("of an endless header so much is told as a notification shows")
    func bounded() throws {
        let endless = String(repeating: "\u{65}\u{301}", count: 5000)
        let push = try Self.note(
            """
            {"user":"a@example.com","events":[{"event":"MessageNew","folder":"INBOX","uid":42,"uid_validity":7,
             "subject":"\(endless)","from_display_name":"\(endless)"}]}
            """)
        let message = try #require(push.arrivals.first?.message)
        #expect(message.subject.unicodeScalars.count == 1000 && message.fromName == message.subject)
        #expect(endless.hasPrefix(message.subject))
    }

    @Test("the OX driver's push says that one has to look")
    func ox() throws {
        let push = try Self.note(
            #"""
            {"user":"user=a@example.com","event":"messageNew","folder":"INBOX","imap-uidvalidity":7,"imap-uid":42,
             "from":"s@example.org","subject":"=?utf-8?q?x?=","snippet":"x","unseen":1}
            """#)
        #expect(push == PushNote(account: "a@example.com", needsLook: true))
    }

    @Test(
        "what is no push is refused, with the field",
        arguments: [
            ("", "malformed_json", ""), ("[]", "invalid", "body"), ("{}", "invalid", "user"),
            (#"{"user":"a@example.com"}"#, "invalid", "events"), (#"{"user":"nobody","events":[]}"#, "invalid", "user"),
            (#"{"user":"a@example.com","events":[{"event":"MessageNew"}]}"#, "invalid", "events.0.folder"),
            (
                #"{"user":"a@example.com","events":[{"event":"MessageNew","folder":"INBOX","uid":-1,"uid_validity":1}]}"#,
                "invalid",
                "events.0.uid"
            ),
        ])
    func malformed(body: String, code: String, field: String) {
        let failure = #expect(throws: Failure.self) { try Self.note(body) }
        #expect(failure.map { [code, "invalid_email", "invalid"].contains($0.code) } == true, "\(body)")
        #expect((failure?.fields.first?.name ?? "") == field, "\(body)")
    }

    @Test("mail is announced from the push, without a fetch, and counted")
    func direct() {
        var watch = WatchTests.seeded()
        let acts = watch.pushed(Self.push([41], now: WatchTests.inbox(42, unseen: 1)))
        #expect(WatchTests.news(acts) == [41] && WatchTests.fetches(acts).isEmpty)
        #expect(acts.contains(.announce(.folderUpdate(folder: "INBOX", unseen: 1, exists: 41))))
        #expect(watch.pushed(Self.push([41], now: WatchTests.inbox(42, unseen: 1))).isEmpty, "replayed")
        #expect(watch.heard("INBOX", WatchTests.inbox(42, unseen: 1)).isEmpty, "heard by IDLE too")
    }

    @Test("mail pushed before the mail in front of it waits for that")
    func overtaken() {
        var watch = WatchTests.seeded()
        let early = watch.pushed(Self.push([42], now: WatchTests.inbox(43)))
        #expect(WatchTests.news(early).isEmpty && early.contains(.look))
        #expect(WatchTests.news(watch.pushed(Self.push([41], now: WatchTests.inbox(42)))) == [41, 42])
        #expect(WatchTests.news(watch.fetched("INBOX", uidValidity: 7, uids: 41..<43, [])).isEmpty)
    }

    @Test("what a push left out is found by the look")
    func gap() {
        var watch = WatchTests.seeded()
        _ = watch.pushed(Self.push([42]))
        #expect(WatchTests.fetches(watch.heard("INBOX", WatchTests.inbox(43))) == [41..<43])
        let acts = watch.fetched("INBOX", uidValidity: 7, uids: 41..<43, [WatchTests.mail(41), WatchTests.mail(42)])
        #expect(WatchTests.news(acts) == [41, 42])
        #expect(WatchTests.news(watch.pushed(Self.push([41]))).isEmpty)
    }

    @Test("counts that were overtaken are not told")
    func staleCounts() {
        var watch = WatchTests.seeded()
        _ = watch.heard("INBOX", FolderState(uidValidity: 7, uidNext: 41, modSeq: 60, exists: 40, unseen: 2))
        let old = FolderState(uidValidity: 7, uidNext: 41, modSeq: 59, exists: 40, unseen: 3)
        #expect(watch.heard("INBOX", old).isEmpty)
    }

    @Test("an expunge is told at once, once, and looked after; of another UIDVALIDITY it is nothing")
    func expunge() {
        var watch = WatchTests.seeded()
        var push = PushNote(account: "a@example.com", needsLook: true)
        push.expunges = [
            .init(folder: "INBOX", uidValidity: 7, uid: 5), .init(folder: "INBOX", uidValidity: 8, uid: 6),
        ]
        #expect(watch.pushed(push) == [.announce(.messageGone(folder: "INBOX", uid: 5)), .look])
        #expect(watch.pushed(push) == [.look])
    }

    @Test("before the first look, in a quiet folder or of another UIDVALIDITY, a push alone announces nothing")
    func unknown() {
        var unseeded = Watch()
        #expect(unseeded.pushed(Self.push([41])) == [.look])
        var watch = WatchTests.seeded()
        var other = PushNote(account: "a@example.com")
        other.arrivals = [Self.arrival(41, validity: 8)]
        #expect(watch.pushed(other) == [.look])
    }

    @Test("a look asks what changed in the folders whose MODSEQ moved")
    func changes() {
        var watch = WatchTests.seeded()
        var now = WatchTests.inbox(41)
        now.modSeq = 99
        let folders = ["INBOX": now, "Sent": WatchTests.empty]
        #expect(
            watch.listed(folders, quiet: [], tellsChanges: true) == [
                .changes(folder: "INBOX", uidValidity: 7, since: 41, through: 99)
            ])
        _ = watch.flagged("INBOX", [.init(uid: 3, flags: ["\\Seen"], modSeq: 99)], through: 99)
        #expect(watch.listed(folders, quiet: [], tellsChanges: true).isEmpty)
    }
}

/// How often counts are told, and which way of hearing is taken.
struct HearingTests {
    @Test("one folder update in 100 ms, the first at once and the last in any case")
    func coalescing() {
        var updates = FolderUpdates()
        let start = ContinuousClock.now
        let kind = { (unseen: Int) in MailEvent.Kind.folderUpdate(folder: "INBOX", unseen: unseen, exists: 9) }
        #expect(updates.offer(kind(1), of: "INBOX", now: start) == true)
        #expect(updates.offer(kind(1), of: "Archive", now: start) == true)
        for unseen in 2...50 {
            let isTold = updates.offer(kind(unseen), of: "INBOX", now: start + .milliseconds(unseen))
            #expect(!isTold)
        }
        #expect(updates.due(start + .milliseconds(99)) == [])
        #expect(updates.nextDue == start + .milliseconds(100))
        #expect(updates.due(start + .milliseconds(100)) == [kind(50)])
        #expect(updates.nextDue == nil)
        #expect(updates.due(start + .seconds(1)) == [])
    }

    @Test("IDLE until the server pushes; push until it leaves something out, and again later")
    func choice() {
        let choice = MethodChoice(), start = ContinuousClock.now
        #expect(choice.current == .init(method: .idle, reason: "default"))
        choice.pushHeard(now: start)
        #expect(choice.current == .init(method: .push, reason: "push_heard"))
        choice.pushMissed(now: start)
        choice.pushHeard(now: start + .seconds(59))
        #expect(choice.current == .init(method: .idle, reason: "push_missed"))
        choice.pushHeard(now: start + .seconds(61))
        #expect(choice.current.method == .push)
        choice.pushMissed(now: start + .seconds(62))
        choice.pushHeard(now: start + .seconds(130))
        #expect(choice.current.method == .idle, "the second time it is distrusted for longer")
        choice.idleIsMissing()
        #expect(choice.current == .init(method: .poll, reason: "no_idle"))
    }

    @Test("what is forced stays", arguments: WatchStatus.Method.allCases)
    func forced(method: WatchStatus.Method) {
        let choice = MethodChoice(forced: method)
        choice.pushHeard()
        choice.pushMissed()
        choice.idleIsMissing()
        #expect(choice.current == .init(method: method, reason: "forced"))
    }

    @Test("connections that break again and again are given a rest")
    func steadiness() {
        var steadiness = Steadiness()
        let idle = MethodChoice.Choice(method: .idle, reason: "default")
        for _ in 0..<3 {
            #expect(steadiness.allows(idle) == idle)
            steadiness.began()
            steadiness.broke()
        }
        #expect(steadiness.allows(idle) == .init(method: .poll, reason: "idle_breaks"))
    }

    @Test("retries wait longer and longer, and end")
    func retries() {
        let retries = WebhookDeliveries.Retries(first: .seconds(5), attempts: 9)
        let delays = (1...9).map { retries.delay(after: $0) }
        #expect(delays[0].map { (.milliseconds(4500)...(.milliseconds(5500))).contains($0) } == true)
        #expect(delays[3].map { (.seconds(560)...(.seconds(690))).contains($0) } == true)
        #expect(delays[7].map { $0 <= .seconds(47_600) } == true && delays[8] == nil)
    }
}

/// How replicas share what all of them want, and notice that one is missing.
struct ReplicaTests {
    @Test("mailboxes are divided evenly, and only the share of one that goes is moved")
    func division() {
        let accounts = (0..<3000).map { "person\($0)@example.com" }
        let before = accounts.map { Division.owner(of: $0, among: ["a:1", "b:1", "c:1"]) }
        for replica in ["a:1", "b:1", "c:1"] {
            #expect((850...1150).contains(before.count { $0 == replica }), "\(replica)")
        }
        let after = accounts.map { Division.owner(of: $0, among: ["c:1", "a:1"]) }
        for (old, new) in zip(before, after) where old != "b:1" { #expect(old == new) }
    }

    @Test("a replica that falls silent is missed once, unless it took leave or Redis is silent")
    func silence() {
        var replicas = Replicas(own: "a")
        let start = ContinuousClock.now
        for second in 0...3 {
            for name in ["a", "b", "c"] { replicas.hear(name, now: start + .seconds(second)) }
        }
        replicas.leave("c")
        #expect(Set(replicas.living) == ["a", "b"])
        // Nothing comes for a while, not even our own word.
        #expect(replicas.someoneFellSilent(now: start + .seconds(9)) == false)
        for second in 10...12 { replicas.hear("a", now: start + .seconds(second)) }
        #expect(replicas.someoneFellSilent(now: start + .seconds(12)) == false)
        replicas.hear("a", now: start + .seconds(14))
        #expect(replicas.someoneFellSilent(now: start + .seconds(14)) == true)
        #expect(replicas.someoneFellSilent(now: start + .seconds(14)) == false)
        #expect(replicas.living == ["a"])
    }
}
