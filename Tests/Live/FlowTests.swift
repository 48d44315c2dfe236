import Foundation
import TestSupport
import Testing

/// One mail's whole way: written in one mailbox, announced, read and marked in another.
@Suite(.timeLimit(.minutes(2))) struct FlowTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    @Test func aMailIsSentAnnouncedOnceReadAndMarked() async throws {
        let alice = try await tenant.newMailbox("alice", displayName: "Alice"), bob = try await tenant.newMailbox("bob")
        let subject = unique("Grüße")
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)

        let sent = try await alice.send(to: bob.email, subject: subject, plain: "Schöne Grüße", html: "<p>Grüße</p>")
        #expect(sent.status == 202, "\(sent.text)")
        #expect(["queued", "sent"].contains(sent.json["state"].string))
        let event = try await stream.newMessage(subject: subject)

        let message = event["data"]["message"]
        #expect(event["account"].string == bob.email)
        #expect(event["data"]["folder"] == "INBOX")
        #expect(event["id"].string?.isEmpty == false && event["at"].string?.hasSuffix("Z") == true)
        #expect(message["from_addr"].string == alice.email)
        let uid = try #require(message["uid"].int)

        let read = try await bob.client.get(bob.message("INBOX", uid)).json(200)
        #expect(read["subject"].string == subject)
        #expect(read["from_addr"].string == alice.email)
        #expect(read["html"].string?.contains("Grüße") == true)
        #expect(read["plain"].string?.contains("Schöne Grüße") == true)

        let marked = try await bob.client.post(
            bob.message("INBOX", uid) + "/flags", ["flags": ["\\Seen", "\\Flagged"]])
        #expect(marked.status == 200, "\(marked.text)")
        let token = try await bob.mailToken()
        let seenOutside = try await bob.imap(.xoauth2(token), ["flags", "INBOX", .int(uid)])
        #expect(Set(seenOutside[1].strings).subtracting(["\\Recent"]) == ["\\Flagged", "\\Seen"])

        // Two seconds in which a second announcement would have come.
        try await Task.sleep(for: .seconds(2))
        #expect(await stream.newMessages(subject: subject).count == 1)
        await stream.close()
    }

    @Test func theSenderHasOneCopyInSent() async throws {
        let alice = try await tenant.newMailbox("alice"), bob = try await tenant.newMailbox("bob")
        let subject = unique("Copy")
        try #require(try await alice.send(to: bob.email, subject: subject).status == 202)
        _ = try await bob.arrival(of: subject)
        _ = try await alice.arrival(of: subject, in: "Sent")
        let outside = try await alice.imap(.password(alice.password), ["subjects", "Sent"], ["subjects", "INBOX"])
        #expect(outside[1].strings == [subject])
        #expect(outside[2].strings == [])
        #expect(try await alice.messages("Sent")["items"][0]["seen"] == true)
    }

    @Test func whatIsSentIsSignedAndTheNameServerProvesIt() async throws {
        let alice = try await tenant.newMailbox("alice"), bob = try await tenant.newMailbox("bob")
        let subject = unique("Signed")
        try #require(try await alice.send(to: bob.email, subject: subject).status == 202)
        let uid = try await bob.arrival(of: subject)
        let raw = try await bob.imap(.xoauth2(bob.mailToken()), ["raw", "INBOX", .int(uid)])[1]
        let verdict = try await platform.verifySignature(of: raw)
        #expect(
            verdict.without("signatures") == [
                "valid": true, "domain": .string(tenant.domain), "selector": "mail", "why": "",
            ])
    }

    @Test func flagsSetOutsideAreSeenInTheAPI() async throws {
        let bob = try await tenant.newMailbox("bob")
        let subject = unique("Fresh")
        let mail = plainMail(from: "friend@elsewhere.example", to: bob.email, subject: subject)
        #expect(
            try await platform.deliver([mail], from: "friend@elsewhere.example", to: bob.email)[0]["accepted"] == true)
        let uid = try await bob.arrival(of: subject)

        #expect(try await bob.messages()["unseen"] == 1)
        #expect(try await bob.client.get(bob.message("INBOX", uid)).json(200)["seen"] == false)
        let flags = bob.message("INBOX", uid) + "/flags"
        #expect(try await bob.client.post(flags, ["flags": ["\\Seen"]]).status == 200)
        #expect(try await bob.messages()["items"][0]["seen"] == true)
        #expect(try await bob.messages()["unseen"] == 0)
        #expect(try await bob.client.post(flags, ["flags": ["\\Seen"], "mode": "remove"]).status == 200)
        #expect(
            try await bob.imap(.password(bob.password), ["flags", "INBOX", .int(uid)])[1].strings
                .contains("\\Seen") == false)
        #expect(try await bob.messages()["unseen"] == 1)
    }

    @Test func aMailMovesToArchiveThenToTrashThenGoes() async throws {
        let bob = try await tenant.newMailbox("bob")
        let subject = unique("Wandering")
        try #require(try await bob.send(to: bob.email, subject: subject).status == 202)
        let uid = try await bob.arrival(of: subject)

        let moved = try await bob.client.post(bob.message("INBOX", uid) + "/move", ["target": "Archive"]).json(200)
        let archived = try #require(moved["uid"].int)
        #expect(try await bob.subjects() == [])
        #expect(try await bob.subjects("Archive") == [subject])
        #expect([200, 204].contains(try await bob.client.delete(bob.message("Archive", archived)).status))
        #expect(try await bob.subjects("Archive") == [])
        let trashed = try await bob.arrival(of: subject, in: "Trash")
        #expect([200, 204].contains(try await bob.client.delete(bob.message("Trash", trashed)).status))
        #expect(try await bob.subjects("Trash") == [])
        #expect(try await bob.client.get(bob.message("Trash", trashed)).status == 404)
    }

    @Test func foldersAreListedWithTheirRolesAndCounts() async throws {
        let bob = try await tenant.newMailbox("bob")
        try #require(try await bob.send(to: bob.email, subject: "One").status == 202)
        _ = try await bob.arrival(of: "One")
        let folders = try await bob.client.get("/api/v1/mail/webmail/folders").json(200)["items"].items
        let roles = Dictionary(folders.map { ($0["path"].string ?? "", $0["role"]) }) { $1 }
        #expect(
            roles == [
                "INBOX": "inbox", "Drafts": "drafts", "Sent": "sent", "Junk": "junk", "Trash": "trash",
                "Archive": "archive",
            ])
        let inbox = try #require(folders.first { $0["path"] == "INBOX" })
        #expect(inbox["total"] == 1 && inbox["unseen"] == 1 && inbox["selectable"] == true)
    }

    @Test func theHTMLOfAMailIsSafe() async throws {
        let bob = try await tenant.newMailbox("bob")
        let subject = unique("Trap")
        let trap = """
            <p onclick="alert(1)">shown</p><script>alert(2)</script><a href="javascript:alert(3)">link</a>\
            <img src="https://canary.example/pixel.png"><iframe src="https://canary.example"></iframe>
            """
        try #require(try await bob.send(to: bob.email, subject: subject, plain: "x", html: trap).status == 202)
        let uid = try await bob.arrival(of: subject)
        let read = try await bob.client.get(bob.message("INBOX", uid)).json(200)
        let html = try #require(read["html"].string)
        #expect(html.contains("shown"))
        for forbidden in ["onclick", "<script", "javascript:", "<iframe", "src=\"https://canary"] {
            #expect(!html.lowercased().contains(forbidden))
        }
        #expect(read["remote_images_blocked"] != 0 && read["remote_images_blocked"] != false)
    }

    @Test func aPageHoldsWhatWasAskedNewestFirst() async throws {
        let bob = try await tenant.newMailbox("bob")
        let sender = "friend@elsewhere.example"
        let mails = (1...7).map { plainMail(from: sender, to: bob.email, subject: "Mail \($0)") }
        for outcome in try await platform.deliver(mails, from: sender, to: bob.email) {
            #expect(outcome["accepted"] == true, "\(outcome)")
        }
        try await eventually(within: .seconds(10), "all seven arrive") { try await bob.messages()["total"] == 7 }
        let second = try await bob.messages("INBOX", "?page=2&per_page=3")
        #expect(second["total"] == 7 && second["page"] == 2 && second["per_page"] == 3)
        #expect(second["items"].items.compactMap { $0["uid"].int } == [4, 3, 2])
        #expect(try await bob.messages("INBOX", "?page=4&per_page=3")["items"] == [])
    }
}

extension Platform {
    /// dkimpy's verdict on a mail (Base64): `{"valid", "domain", "selector", "why"}`.
    func verifySignature(of message: JSON) async throws -> JSON {
        try await Outside(
            script: "dkim_verify.py",
            ["message": message, "dns_host": .string(stack.imapHost), "dns_port": .int(stack.dnsPort)]
        ).next()
    }

    /// Waits until the watcher listens to the mailbox: what comes from now on has to be announced.
    func isWatching(_ mailbox: Mailbox, within limit: Duration = .seconds(10)) async throws {
        try await eventually(within: limit, "\(mailbox.email) is watched") {
            let accounts = try await mailbox.client.get("/api/v1/mail/watcher/status").json(200)["accounts"].items
            return accounts.contains { $0["account"].string == mailbox.email && $0["state"] == "watching" }
        }
    }
}
