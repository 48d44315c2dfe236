import Foundation
import Testing

/// The WebSocket: who may listen, what is heard, and that nothing is missed over an interruption.
@Suite(.timeLimit(.minutes(2))) struct EventTests {
    let platform: Platform
    let tenant: Tenant
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        bob = try await tenant.newMailbox("bob")
    }

    private func deliver(_ subjects: [String]) async throws {
        let sender = "friend@elsewhere.example"
        let mails = subjects.map { plainMail(from: sender, to: bob.email, subject: $0, body: "Preview of \($0)") }
        for outcome in try await platform.deliver(mails, from: sender, to: bob.email) {
            guard outcome["accepted"] == true else { throw Surprise("not delivered: \(outcome)") }
        }
    }

    @Test func everyListenerHearsEveryMailOnce() async throws {
        let first = try await EventStream(bob.client), second = try await EventStream(bob.client)
        let hoster = try await EventStream(platform.hoster, query: "?account=\(escaped(bob.email))")
        let browser = try await EventStream(platform.stranger, subprotocol: "bearer, \(bob.accessToken)")
        try await platform.isWatching(bob)
        let subjects = (1...5).map { unique("mail-\($0)") }
        try await deliver(subjects)
        for stream in [first, second, hoster, browser] {
            for subject in subjects { _ = try await stream.newMessage(subject: subject) }
        }
        try await Task.sleep(for: .seconds(2))
        for stream in [first, second, hoster, browser] {
            let heard = await stream.events("mail.new_message").map { $0["data"]["message"]["subject"].string }
            #expect(heard.count == 5 && Set(heard) == Set(subjects))
            await stream.close()
        }
    }

    @Test func anEventTellsWhatANotificationShows() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try await deliver(["Shown"])
        let event = try await stream.newMessage(subject: "Shown")
        let message = event["data"]["message"]
        #expect(event.keys == ["type", "id", "account", "at", "data"])
        #expect(message.keys == ["uid", "from_addr", "from_name", "subject", "date", "preview", "flags"])
        #expect(message["from_addr"] == "friend@elsewhere.example" && message["uid"] == 1)
        #expect(message["preview"] == "Preview of Shown" && message["date"] == "2026-11-23T10:00:00Z")
        _ = try await stream.first(within: .seconds(5), "mail.folder_update with the new counts") {
            $0["type"] == "mail.folder_update" && $0["data"] == ["folder": "INBOX", "unseen": 1, "exists": 1]
        }
        let flags = bob.message("INBOX", 1) + "/flags"
        #expect(try await bob.client.post(flags, ["flags": ["\\Seen"]]).status == 200)
        _ = try await stream.first(within: .seconds(5), "mail.folder_update after reading") {
            $0["type"] == "mail.folder_update" && $0["data"] == ["folder": "INBOX", "unseen": 0, "exists": 1]
        }
        await stream.close()
    }

    @Test func whatWasMissedIsReplayedInOrderAndOnce() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try await deliver(["Heard"])
        let last = try #require(try await stream.newMessage(subject: "Heard")["id"].string)
        let missed = (1...3).map { "Missed \($0)" }
        try await deliver(missed)
        _ = try await stream.newMessage(subject: "Missed 3")
        await stream.close()

        let resumed = try await EventStream(bob.client, query: "?since=\(last)")
        _ = try await resumed.newMessage(subject: "Missed 3")
        try await deliver(["Live"])
        _ = try await resumed.newMessage(subject: "Live")
        let heard = await resumed.events("mail.new_message").compactMap { $0["data"]["message"]["subject"].string }
        #expect(heard == missed + ["Live"])
        #expect(await resumed.events("mail.resync").isEmpty)
        await resumed.close()

        let tooOld = try await EventStream(bob.client, query: "?since=1-0")
        _ = try await tooOld.first(within: .seconds(5), "the log's beginning, or mail.resync") {
            $0["type"] == "mail.resync" || $0["type"] == "mail.new_message"
        }
        await tooOld.close()
    }

    @Test func severalMailboxesAreReplayedTogether() async throws {
        let ann = try await tenant.newMailbox("ann")
        let accounts = "?account=\(escaped(bob.email))&account=\(escaped(ann.email))"
        let stream = try await EventStream(platform.hoster, query: accounts)
        try await platform.isWatching(bob)
        try await platform.isWatching(ann)
        var cursors = ""
        for mailbox in [bob, ann] {
            try await mailbox.deliver(["Heard by \(mailbox.email)"])
            let heard = try await stream.newMessage(subject: "Heard by \(mailbox.email)")
            cursors += "&since=\(escaped(mailbox.email)):\(heard["id"].string ?? "")"
        }
        let missed = ["Bob 1", "Ann 1", "Bob 2", "Ann 2"]
        for subject in missed {
            try await (subject.hasPrefix("Bob") ? bob : ann).deliver([subject])
            _ = try await stream.newMessage(subject: subject)
        }
        await stream.close()

        let resumed = try await EventStream(platform.hoster, query: accounts + cursors)
        _ = try await resumed.newMessage(subject: "Ann 2")
        let heard = await resumed.events("mail.new_message").compactMap { $0["data"]["message"]["subject"].string }
        #expect(heard == missed, "merged by their ids, each once")
        #expect(await resumed.events("mail.resync").isEmpty)
        await resumed.close()
    }

    @Test func mailThatComesWhileNobodyListensIsNotLostForTheNextListener() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try await deliver(["Before"])
        let last = try #require(try await stream.newMessage(subject: "Before")["id"].string)
        await stream.close()
        try await deliver(["Between"])
        let resumed = try await EventStream(bob.client, query: "?since=\(last)")
        _ = try await resumed.newMessage(subject: "Between")
        await resumed.close()
    }

    @Test func otherFoldersAreHeardToo() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        let mail = plainMail(from: bob.email, to: bob.email, subject: "Filed")
        #expect(try await bob.imap(.password(bob.password), ["append", "Archive", .string(mail)])[1] == "OK")
        _ = try await stream.first(within: .seconds(10), "the change in Archive") { $0["data"]["folder"] == "Archive" }
        await stream.close()
    }

    @Test func nobodyListensWithoutTheRight() async throws {
        let stranger = try await platform.newTenant().newMailbox("stranger")
        let mine = escaped(bob.email)
        let attempts: [(String, Client, String, Set<Int>)] = [
            ("nobody", platform.stranger, "", [401]),
            ("garbage", platform.stranger.with(.bearer("garbage")), "", [401]),
            ("a mail token", platform.stranger.with(.bearer(try await bob.mailToken())), "", [401]),
            ("another customer", stranger.client, "?account=\(mine)", [403, 404]),
            ("a mailbox that is none", stranger.client, "?account=nobody@\(tenant.domain)", [403, 404]),
            ("the hoster naming none", platform.hoster, "", [400, 422]),
        ]
        for (who, client, query, wanted) in attempts {
            let refusal = await #expect(throws: EventStream.Refused.self, "\(who)") {
                try await EventStream(client, query: query)
            }
            #expect(refusal.map { wanted.contains($0.status) } == true, "\(who): \(refusal?.description ?? "admitted")")
        }
    }

    @Test func whatIsNoHandshakeIsTold() async throws {
        let reply = try await bob.client.get("/api/v1/mail/events")
        #expect(reply.status == 426 && reply.json["code"] == "upgrade_required")
        let wrong = await #expect(throws: EventStream.Refused.self) {
            try await EventStream(bob.client, query: "?since=yesterday")
        }
        #expect(wrong?.status == 422)
    }

    @Test func moreStreamsThanMayBeAreRefused() async throws {
        let own = try await OwnService("mail-watcher", of: platform, settings: ["EVENTS_SUBSCRIBERS": "1"])
        defer { own.stop() }
        let client = own.client.with(bob.client.credentials)
        let only = try await EventStream(client)
        let refusal = await #expect(throws: EventStream.Refused.self) { try await EventStream(client) }
        #expect(refusal?.status == 429 && refusal?.body.contains("too_many_streams") == true)
        await only.close()
    }

    @Test func theStatusShowsACallerItsOwn() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        let stranger = try await platform.newTenant().newMailbox("stranger")
        let own = try await bob.client.get("/api/v1/mail/watcher/status").json(200)
        #expect(own["accounts"].items.map { $0["account"].string } == [bob.email])
        #expect(
            ["idle", "push"].contains(own["accounts"][0]["method"].string) && own["accounts"][0]["subscribers"] == 1)
        let others = try await stranger.client.get("/api/v1/mail/watcher/status").json(200)
        #expect(!others["accounts"].items.contains { $0["account"].string == bob.email })
        let all = try await platform.hoster.get("/api/v1/mail/watcher/status").json(200)
        #expect(all["accounts"].items.contains { $0["account"].string == bob.email })
        await stream.close()
    }
}
