import MailModel
import Testing

@testable import MailWatcher

/// The state machine behind every event: one mail is one event, and none is missed.
struct WatchTests {
    static let empty = FolderState(uidValidity: 7, uidNext: 1, modSeq: 1, exists: 0, unseen: 0)

    static func inbox(_ uidNext: UInt32, exists: Int? = nil, unseen: Int = 0, validity: UInt32 = 7) -> FolderState {
        FolderState(
            uidValidity: validity, uidNext: uidNext, modSeq: UInt64(uidNext), exists: exists ?? Int(uidNext) - 1,
            unseen: unseen)
    }

    static func mail(_ uid: UInt32) -> MessageSummary {
        MessageSummary(
            uid: uid, fromAddr: "a@example.com", fromName: "A", subject: "\(uid)", date: "2026-01-02T03:04:05Z",
            preview: "", flags: [])
    }

    static func seeded(_ state: FolderState = inbox(41), quiet: Set<String> = []) -> Watch {
        var watch = Watch()
        _ = watch.listed(["INBOX": state, "Sent": empty], quiet: quiet)
        return watch
    }

    static func news(_ acts: [Watch.Act]) -> [UInt32] {
        acts.compactMap { act in
            if case .announce(.newMessage(_, let message)) = act { message.uid } else { nil }
        }
    }

    static func fetches(_ acts: [Watch.Act]) -> [Range<UInt32>] {
        acts.compactMap { act in if case .fetch(_, _, let uids) = act { uids } else { nil } }
    }

    @Test("what is there at the first look is remembered, not announced")
    func seedIsSilent() {
        var watch = Watch()
        let acts = watch.listed(["INBOX": Self.inbox(41)], quiet: [])
        #expect(acts == [.remember(folder: "INBOX", Self.inbox(41))])
    }

    @Test("a watch whose memory is lost tells once to list again")
    func gap() {
        var watch = Watch(hasGap: true)
        let acts = watch.listed(["INBOX": Self.inbox(41)], quiet: [])
        #expect(acts == [.announce(.resync), .remember(folder: "INBOX", Self.inbox(41))])
        #expect(watch.listed(["INBOX": Self.inbox(41)], quiet: []).isEmpty)
    }

    @Test("a new mail is fetched, announced once, then counted")
    func oneMail() {
        var watch = Self.seeded()
        let now = Self.inbox(42, unseen: 1)
        #expect(watch.heard("INBOX", now) == [.fetch(folder: "INBOX", uidValidity: 7, uids: 41..<42)])
        let acts = watch.fetched("INBOX", uidValidity: 7, uids: 41..<42, [Self.mail(41)])
        var remembered = Self.inbox(42, unseen: 1)
        remembered.modSeq = 41
        #expect(
            acts == [
                .announce(.newMessage(folder: "INBOX", message: Self.mail(41))),
                .announce(.folderUpdate(folder: "INBOX", unseen: 1, exists: 41)),
                .remember(folder: "INBOX", remembered),
            ])
    }

    @Test("heard twice, by two ways, in any order: still one event")
    func heardTwice() {
        var watch = Self.seeded()
        _ = watch.heard("INBOX", Self.inbox(42, unseen: 1))
        #expect(watch.heard("INBOX", Self.inbox(42, unseen: 1)).isEmpty)
        #expect(Self.news(watch.fetched("INBOX", uidValidity: 7, uids: 41..<42, [Self.mail(41)])) == [41])
        #expect(watch.fetched("INBOX", uidValidity: 7, uids: 41..<42, [Self.mail(41)]).isEmpty)
        #expect(watch.heard("INBOX", Self.inbox(42, unseen: 1)).isEmpty)
        #expect(watch.heard("INBOX", Self.inbox(41)).isEmpty, "an old answer changes nothing")
    }

    @Test("more mail while one is being fetched asks only for the rest")
    func overlapping() {
        var watch = Self.seeded()
        #expect(Self.fetches(watch.heard("INBOX", Self.inbox(42))) == [41..<42])
        #expect(Self.fetches(watch.heard("INBOX", Self.inbox(44))) == [42..<44])
        #expect(Self.news(watch.fetched("INBOX", uidValidity: 7, uids: 41..<42, [Self.mail(41)])) == [41])
        let acts = watch.fetched("INBOX", uidValidity: 7, uids: 42..<44, [Self.mail(43), Self.mail(42)])
        #expect(Self.news(acts) == [42, 43])
    }

    @Test("a later answer that comes first does not swallow the mail before it")
    func outOfOrder() {
        var watch = Self.seeded()
        _ = watch.heard("INBOX", Self.inbox(42))
        _ = watch.heard("INBOX", Self.inbox(43))
        let early = watch.fetched("INBOX", uidValidity: 7, uids: 42..<43, [Self.mail(42)])
        #expect(Self.fetches(early) == [41..<43])
        #expect(
            Self.news(watch.fetched("INBOX", uidValidity: 7, uids: 41..<43, [Self.mail(41), Self.mail(42)])) == [
                41, 42,
            ])
    }

    @Test("mail that came during an outage is announced after it, also when a fetch was cut off")
    func outage() {
        var watch = Self.seeded()
        _ = watch.heard("INBOX", Self.inbox(42))
        watch.interrupted()
        let acts = watch.listed(["INBOX": Self.inbox(44), "Sent": Self.empty], quiet: [])
        #expect(Self.fetches(acts) == [41..<44])
    }

    @Test("a watch that starts from remembered states announces what came between")
    func restart() {
        var watch = Watch(states: ["INBOX": Self.inbox(41)])
        #expect(Self.fetches(watch.listed(["INBOX": Self.inbox(43)], quiet: [])) == [41..<43])
    }

    @Test("what another replica announced before it could be remembered is not announced again")
    func takenOver() {
        var watch = Watch(states: ["INBOX": Self.inbox(41)])
        watch.announced("INBOX", uid: 41)
        #expect(Self.fetches(watch.listed(["INBOX": Self.inbox(43)], quiet: [])) == [42..<43])
    }

    @Test("mail expunged before it could be fetched is passed over")
    func expungedMeanwhile() {
        var watch = Self.seeded()
        _ = watch.heard("INBOX", Self.inbox(43, exists: 40))
        let acts = watch.fetched("INBOX", uidValidity: 7, uids: 41..<43, [])
        #expect(Self.news(acts).isEmpty)
        #expect(watch.heard("INBOX", Self.inbox(43, exists: 40)).isEmpty)
    }

    @Test("a new UIDVALIDITY means list again (RFC 9051 §2.3.1.1)")
    func newValidity() {
        var watch = Self.seeded()
        let other = Self.inbox(3, validity: 8)
        #expect(watch.heard("INBOX", other) == [.announce(.resync), .remember(folder: "INBOX", other)])
        #expect(watch.fetched("INBOX", uidValidity: 7, uids: 41..<42, [Self.mail(41)]).isEmpty)
    }

    @Test("a flood is one resync, not thousands of events")
    func flood() {
        var watch = Self.seeded()
        let acts = watch.heard("INBOX", Self.inbox(41 + Watch.burst + 1))
        #expect(acts.first == .announce(.resync))
        #expect(Self.fetches(acts).isEmpty)
    }

    @Test("copies in Sent, Drafts and Trash are counted, not announced as mail")
    func quietFolders() {
        var watch = Self.seeded(quiet: ["Sent"])
        let acts = watch.heard("Sent", FolderState(uidValidity: 7, uidNext: 2, exists: 1, unseen: 0))
        #expect(acts.first == .announce(.folderUpdate(folder: "Sent", unseen: 0, exists: 1)))
        #expect(Self.fetches(acts).isEmpty)
    }

    @Test("a folder made while it is watched starts empty; one that is gone is forgotten")
    func folders() {
        var watch = Self.seeded()
        let made = FolderState(uidValidity: 9, uidNext: 2, exists: 1, unseen: 1)
        #expect(watch.heard("New", made) == [.fetch(folder: "New", uidValidity: 9, uids: 1..<2)])
        let acts = watch.listed(["INBOX": Self.inbox(41), "Sent": Self.empty], quiet: [])
        #expect(acts.last == .remember(folder: "New", nil))
        #expect(watch.states["New"] == nil)
    }

    @Test("a folder whose state the server does not tell for once keeps it")
    func untold() {
        var watch = Self.seeded()
        #expect(watch.listed(["INBOX": Self.inbox(41)], quiet: [], untold: ["Sent"]).isEmpty)
        #expect(watch.states["Sent"] == Self.empty)
    }

    @Test("the mail of a renamed folder is not announced again, and what came into it since is")
    func renamed() {
        let old = FolderState(uidValidity: 9, uidNext: 8, exists: 7, unseen: 2)
        var watch = Watch(states: ["INBOX": Self.inbox(41), "Old": old])
        var now = old
        now.uidNext = 9
        now.exists = 8
        let acts = watch.listed(["INBOX": Self.inbox(41), "New": now], quiet: [])
        #expect(Self.fetches(acts) == [8..<9])
        #expect(acts.contains(.announce(.folderUpdate(folder: "Old", unseen: 0, exists: 0))))
        #expect(acts.contains(.announce(.folderUpdate(folder: "New", unseen: 2, exists: 8))))
        #expect(watch.states["Old"] == nil && watch.states["New"]?.uidNext == 8)
    }

    @Test("a change of flags is announced once; that of a mail not announced yet is left to its news")
    func flags() {
        var watch = Self.seeded()
        let changes = [
            Watch.FlagChange(uid: 3, flags: ["\\Seen"], modSeq: 50), .init(uid: 2, flags: [], modSeq: 49),
            .init(uid: 41, flags: [], modSeq: 51), .init(uid: 1, flags: [], modSeq: 41),
        ]
        let acts = watch.flagged("INBOX", changes)
        #expect(
            acts.dropLast() == [
                .announce(.flagsChanged(folder: "INBOX", uid: 3, flags: ["\\Seen"])),
                .announce(.flagsChanged(folder: "INBOX", uid: 2, flags: [])),
            ])
        #expect(watch.flagged("INBOX", changes).isEmpty)
        #expect(watch.anchor("INBOX")?.modSeq == 51)
    }

    @Test("the flags of a new mail, which the server repeats, are not a change")
    func flagsRepeated() {
        var watch = Self.seeded()
        _ = watch.heard("INBOX", Self.inbox(42))
        _ = watch.fetched("INBOX", uidValidity: 7, uids: 41..<42, [Self.mail(41)])
        let isChange = { (acts: [Watch.Act]) in
            acts.contains { if case .announce(.flagsChanged) = $0 { true } else { false } }
        }
        #expect(!isChange(watch.flagged("INBOX", [.init(uid: 41, flags: [], modSeq: 60)])))
        #expect(isChange(watch.flagged("INBOX", [.init(uid: 41, flags: ["\\Seen"], modSeq: 61)])))
    }

    @Test("an expunged mail is told if it was ever announced")
    func vanished() {
        var watch = Self.seeded()
        #expect(watch.vanished("INBOX", [5, 41]) == [.announce(.messageGone(folder: "INBOX", uid: 5))])
        #expect(watch.vanished("INBOX", [5]).isEmpty)
    }
}
