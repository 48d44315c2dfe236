import Foundation
import TestSupport
import Testing

/// Sending: what goes out, what stays, what is refused.
@Suite(.timeLimit(.minutes(3))) struct SendTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        bob = try await tenant.newMailbox("bob")
    }

    private func newAlias(_ source: String, to mailbox: Mailbox) async throws -> String {
        _ = try await platform.hoster.post(
            "/api/v1/mail/domains/\(tenant.domainID)/aliases",
            ["source": .string(source), "destination": .string(mailbox.email)]
        ).json(201)
        return "\(source)@\(tenant.domain)"
    }

    @Test func blindRecipientsAreKnownToTheSenderAlone() async throws {
        let carol = try await tenant.newMailbox("carol")
        let answer = try await alice.send([
            "to": [.string(bob.email)], "bcc": [.object(["addr": .string(carol.email), "name": "Cárol, B."])],
            "subject": "Blind", "plain": "Hello",
        ]).json(202)
        #expect(answer["state"] == "sent")
        #expect(Set(answer["accepted"].strings) == [bob.email, carol.email])
        for mailbox in [bob, carol] {
            let raw = try await mailbox.raw("INBOX", try await mailbox.arrival(of: "Blind"))
            let head = raw.components(separatedBy: "\r\n\r\n")[0].lowercased()
            #expect(!head.contains("\nbcc:"))
            #expect(mailbox.email == carol.email || !head.contains(carol.email))
        }
        #expect(answer["sent"]["folder"] == "Sent")
        let copy = try await alice.raw("Sent", try #require(answer["sent"]["uid"].int))
        #expect(copy.lowercased().contains("bcc:") && copy.contains(carol.email))
        let messages = try await alice.messages("Sent")
        #expect(messages["items"].items.count == 1 && messages["items"].items[0]["seen"] == true)
        #expect("<\(answer["message_id"].string?.dropFirst() ?? "")" == messages["items"].items[0]["message_id"].string)
    }

    @Test func refusedRecipientsAreNamedAndTheRestGetsIt() async throws {
        let nobody = "nobody@\(tenant.domain)"
        let answer = try await alice.send([
            "to": [.string(bob.email), .string(nobody)], "subject": "Half", "plain": "x",
        ]).json(202)
        #expect(answer["accepted"].strings == [bob.email])
        #expect(answer["rejected"].items.map { $0["address"].string } == [nobody])
        #expect(answer["rejected"].items[0]["code"].string?.hasPrefix("5.") == true)
        _ = try await bob.arrival(of: "Half")
        let refused = try await alice.send(["to": [.string(nobody)], "subject": "None", "plain": "x"])
        #expect(refused.status == 502 && refused.code == "recipients_refused" && refused.isCleanProblem)
        #expect(try await alice.subjects("Sent") == ["Half"])
        let failed = try await alice.client.get(Mailbox.outboxPath).json(200)["items"].items
        #expect(
            failed.count == 1 && failed[0]["state"] == "failed" && failed[0]["error"]["code"] == "recipients_refused")
        #expect(try await alice.client.delete("\(Mailbox.outboxPath)/\(failed[0]["id"].int ?? 0)").status == 204)
        #expect(try await alice.client.get(Mailbox.outboxPath).json(200)["total"] == 0)
    }

    @Test func manyRefusedRecipientsKeepItFromNobody() async throws {
        let nobodies = (0..<30).map { "nobody\($0)@\(tenant.domain)" }
        let subject = unique("Many")
        let answer = try await alice.send([
            "to": .array((nobodies + [bob.email]).map(JSON.string)), "subject": .string(subject), "plain": "x",
        ]).json(202)
        _ = try await bob.arrival(of: subject)
        let id = try #require(answer["id"].int)
        try await eventually(within: .seconds(10), "the others are refused") {
            let message = try await alice.outbox(id)
            return message["accepted"].strings == [bob.email] && message["rejected"].items.count == nobodies.count
        }
        // Another's mail is not held up.
        #expect(
            try await bob.send(["to": [.string(alice.email)], "subject": "Next", "plain": "x"]).json(202)["state"]
                == "sent")
    }

    /// The copy in Sent cannot be kept; who has not got the mail yet gets it all the same.
    @Test func aFullMailboxKeepsNobodyWaiting() async throws {
        let full = try await tenant.newMailbox("full"), carol = try await tenant.newMailbox("carol")
        _ = try await platform.hoster.patch(full.accountRoute(), ["quota_mb": 1]).json(200)
        _ = try await platform.hoster.post(carol.accountRoute("/suspend")).json(200)
        let answer = try await full.send([
            "to": [.string(bob.email), .string(carol.email)], "subject": "Large", "plain": "x",
            "attachments": [["filename": "a", "content": .string(String(repeating: "AAAA", count: 1 << 20))]],
        ]).json(202)
        #expect(answer["state"] == "queued" && answer["accepted"].strings == [bob.email], "\(answer)")
        _ = try await bob.arrival(of: "Large")
        _ = try await platform.hoster.post(carol.accountRoute("/unsuspend")).json(200)
        try await eventually(within: .seconds(40), "the other gets it when it can") {
            let results = try await carol.imap(.password(carol.password), ["subjects", "INBOX"])
            return results.count > 1 && results[1].strings == ["Large"]
        }
        #expect(try await full.subjects("Sent") == [])
    }

    @Test func anAliasSendsForItsMailboxAndNoOther() async throws {
        let sales = try await newAlias("sales", to: alice)
        let answer = try await alice.send([
            "to": [.string(bob.email)], "from": .object(["addr": .string(sales), "name": "Sales"]),
            "subject": "From sales", "plain": "x",
        ]).json(202)
        #expect(answer["state"] == "sent")
        let uid = try await bob.arrival(of: "From sales")
        let read = try await bob.client.get(bob.message("INBOX", uid)).json(200)
        #expect(read["from_addr"].string == sales && read["from_name"] == "Sales")
        #expect(try await bob.raw("INBOX", uid).contains("Return-Path: <\(sales)>"))
        for foreign in [sales, alice.email, "ceo@elsewhere.example"] {
            let refused = try await bob.send([
                "to": [.string(alice.email)], "from": .string(foreign), "subject": "Forged", "plain": "x",
            ])
            #expect(refused.status == 422 && refused.faultyFields == ["from"], "\(foreign): \(refused.text)")
            #expect(refused.json["errors"].items[0]["code"] == "sender_refused")
        }
        #expect(try await bob.client.get(Mailbox.outboxPath).json(200)["total"] == 0)
    }

    @Test func whatIsUndoneInTimeIsNeverSent() async throws {
        let undone = try await alice.send([
            "to": [.string(bob.email)], "subject": "Undone", "plain": "x", "undo_seconds": 60,
        ]).json(202)
        #expect(undone["state"] == "queued" && undone["send_at"].string != nil)
        let path = "\(Mailbox.outboxPath)/\(try #require(undone["id"].int))"
        #expect(try await bob.client.get(path).status == 404)
        #expect(try await bob.client.delete(path).status == 404)
        let listed = try await alice.client.get(Mailbox.outboxPath).json(200)
        #expect(listed["items"].items.map { $0["subject"] } == ["Undone"])
        for read in [Mailbox.outboxPath, path] {
            let tag = try #require(try await alice.client.get(read).headers["etag"])
            #expect(try await alice.client.get(read, headers: [("If-None-Match", tag)]).status == 304)
        }
        #expect(try await alice.client.delete(path).status == 204)
        #expect(try await alice.client.delete(path).status == 404)
        let soon = try await alice.send([
            "to": [.string(bob.email)], "subject": "Soon", "plain": "x", "undo_seconds": 1,
        ]).json(202)
        _ = try await bob.arrival(of: "Soon")
        let id = try #require(soon["id"].int)
        try await eventually(within: .seconds(3), "it is filed") {
            try await alice.outbox(id)["sent"]["folder"] == "Sent"
        }
        let late = try await alice.client.delete("\(Mailbox.outboxPath)/\(id)")
        #expect(late.status == 409 && late.code == "already_sent")
        #expect(try await bob.subjects() == ["Soon"])
        #expect(try await alice.subjects("Sent") == ["Soon"])
    }

    @Test func itIsSentAtItsTime() async throws {
        let at = Date().addingTimeInterval(2)
        let answer = try await alice.send([
            "to": [.string(bob.email)], "subject": "Timed", "plain": "x",
            "send_at": .string(at.formatted(.iso8601)),
        ]).json(202)
        #expect(answer["state"] == "queued")
        #expect(try await bob.subjects() == [])
        _ = try await bob.arrival(of: "Timed")
        #expect(Date() >= at.addingTimeInterval(-1))
        let past = try await alice.send([
            "to": [.string(bob.email)], "subject": "Past", "plain": "x", "send_at": "2020-01-01T00:00:00Z",
        ]).json(202)
        #expect(past["state"] == "sent")
    }

    @Test func aKeySendsOnce() async throws {
        let key = unique("key")
        let mail: JSON = ["to": [.string(bob.email)], "subject": "Once", "plain": "x"]
        let replies = try await withThrowingTaskGroup(of: Reply.self) { group in
            for _ in 0..<5 { group.addTask { try await alice.send(mail, key: key) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for reply in replies {
            #expect(reply.status == 202 || reply.code == "idempotency_in_progress", "\(reply.text)")
        }
        let again = try await alice.send(mail, key: key).json(202)
        #expect(again["state"] == "sent" && again["accepted"].strings == [bob.email])
        #expect(replies.filter { $0.status == 202 }.allSatisfy { $0.json["id"] == again["id"] })
        let other = try await alice.send(
            ["to": [.string(bob.email)], "subject": "Twice", "plain": "x"], key: key)
        #expect(other.status == 422 && other.code == "idempotency_key_reused")
        // Keys are their caller's.
        _ = try await bob.send(["to": [.string(alice.email)], "subject": "Bob's", "plain": "x"], key: key).json(202)
        _ = try await bob.arrival(of: "Once")
        #expect(try await bob.subjects() == ["Once"])
        let nobody: JSON = ["to": [.string("nobody@\(tenant.domain)")], "plain": "x"]
        let refusals = [try await alice.send(nobody, key: key + "2"), try await alice.send(nobody, key: key + "2")]
        #expect(
            refusals.map(\.status) == [502, 502]
                && refusals.map(\.code) == Array(repeating: "recipients_refused", count: 2))
        #expect(refusals[0].faultyFields == refusals[1].faultyFields)
    }

    @Test func answersAndForwardsAreMarked() async throws {
        for subject in ["Question", "Other"] {
            try #require(try await bob.send(to: alice.email, subject: subject).status == 202)
        }
        let question = try await alice.arrival(of: "Question"), other = try await alice.arrival(of: "Other")
        let read = try await alice.client.get(alice.message("INBOX", question)).json(200)
        let reply = try await alice.send([
            "to": [.string(bob.email)], "subject": "Re: Question", "plain": "x", "in_reply_to": read["message_id"],
            "original": ["folder": "INBOX"],
        ]).json(202)
        #expect(reply["state"] == "sent")
        _ = try await alice.send([
            "to": [.string(bob.email)], "subject": "Fwd: Other", "plain": "x",
            "original": ["folder": "INBOX", "uid": .int(other), "relation": "forward"],
            "attachments": [["message": ["folder": "INBOX", "uid": .int(other), "part": "1"], "filename": "o.txt"]],
        ]).json(202)
        let outside = try await alice.imap(
            .password(alice.password), ["flags", "INBOX", .int(question)], ["flags", "INBOX", .int(other)])
        #expect(outside[1].strings.contains("\\Answered") && outside[2].strings.contains("$Forwarded"))
        let answer = try await bob.client.get(
            bob.message("INBOX", try await bob.arrival(of: "Re: Question"))
        ).json(200)
        #expect(
            answer["in_reply_to"] == read["message_id"] || answer["in_reply_to"].strings == [read["message_id"].string])
        let forward = try await bob.client.get(
            bob.message("INBOX", try await bob.arrival(of: "Fwd: Other"))
        ).json(200)
        #expect(forward["attachments"].items.map { $0["filename"] } == ["o.txt"])
    }

    @Test func nothingGetsOutOfItsField() async throws {
        let evil = ["\r\nBcc: \(bob.email)", "\nRCPT TO:<\(bob.email)>", "\u{0}", "\r"]
        for text in evil {
            let mails: [(String, JSON)] = [
                ("subject", ["to": [.string(alice.email)], "subject": .string("a" + text)]),
                ("name", ["to": [.object(["addr": .string(alice.email), "name": .string("a" + text)])]]),
                ("address", ["to": [.string(alice.email + text)]]),
                ("from", ["to": [.string(alice.email)], "from": .string(alice.email + text)]),
                ("reply_to", ["to": [.string(alice.email)], "reply_to": .string(alice.email + text)]),
                ("header", ["to": [.string(alice.email)], "headers": ["X-A": .string("a" + text)]]),
                ("header name", ["to": [.string(alice.email)], "headers": .object(["X-A" + text: "b"])]),
                ("in_reply_to", ["to": [.string(alice.email)], "in_reply_to": .string("<a@b>" + text)]),
                (
                    "filename",
                    [
                        "to": [.string(alice.email)],
                        "attachments": [["filename": .string("a" + text), "content": "aGk="]],
                    ]
                ),
                (
                    "content id",
                    [
                        "to": [.string(alice.email)], "html": "<p>",
                        "attachments": [["filename": "a", "content": "aGk=", "content_id": .string("a" + text)]],
                    ]
                ),
                (
                    "folder",
                    [
                        "to": [.string(alice.email)], "original": ["folder": .string("INBOX" + text), "uid": 1],
                    ]
                ),
                (
                    "part",
                    [
                        "to": [.string(alice.email)],
                        "attachments": [["message": ["folder": "INBOX", "uid": 1, "part": .string("1" + text)]]],
                    ]
                ),
            ]
            for (field, mail) in mails {
                let reply = try await alice.send(mail)
                #expect(reply.status == 422, "\(field): \(reply.status) \(reply.text)")
            }
            // In a text it is just text.
            let typed = try await alice.send([
                "to": [.string(alice.email)], "subject": "Text", "plain": .string("a\r\n.\r\n" + text),
                "attachments": [["filename": "a", "content": "aGk=", "content_type": .string("text/x" + text)]],
            ])
            #expect(typed.status == 202, "\(typed.text)")
        }
        try #require(try await alice.send(to: bob.email, subject: "Last").status == 202)
        _ = try await bob.arrival(of: "Last")
        #expect(try await bob.subjects() == ["Last"])
    }
}
