import Foundation
import TestSupport
import Testing

/// Lists, searches, batches and changes, while another client works in the same mailbox.
@Suite(.timeLimit(.minutes(2))) struct OrganiseTests {
    let platform: Platform
    let alice: Mailbox
    private let inbox = "/api/v1/mail/webmail/messages/INBOX"

    init() async throws {
        platform = try Platform()
        alice = try await platform.commonTenant().newMailbox(unique("alice"))
    }

    /// Python's imaplib at the same mailbox.
    @discardableResult private func outside(_ actions: JSON...) async throws -> [JSON] {
        var results: [JSON] = []
        for action in actions { results.append(try await alice.imap(.password(alice.password), action)[1]) }
        return results
    }

    private func put(_ mails: String..., into folder: String = "INBOX") async throws {
        for mail in mails { #expect(try await outside(["append", .string(folder), .string(mail)]) == ["OK"]) }
    }

    private func mail(
        _ subject: String, from sender: String = "friend@elsewhere.example", body: String = "Hello."
    ) -> String {
        plainMail(from: sender, to: alice.email, subject: subject, body: body)
    }

    private func subjects(_ query: String) async throws -> [String] {
        let list = try await alice.client.get("\(inbox)?\(query)").json(200)
        #expect(list["total"].int == list["items"].items.count)
        return list["items"].items.compactMap { $0["subject"].string }
    }

    @Test func aPageIsNeverStale() async throws {
        #expect(try await alice.subjects().isEmpty)
        for count in 1...3 {
            try await put(mail("Mail \(count)"))
            #expect(try await alice.messages()["total"].int == count)
            let reply = try await alice.client.post("\(inbox)/\(count)/flags", ["flags": ["\\Seen"]])
            #expect(reply.status == 200, "\(reply.text)")
        }
        try await put(mail("Mail 4"))
        #expect(try await alice.client.get("\(inbox)/4").status == 200, "a mail that no page has shown")
        try await put(mail("Mail 5"))
        #expect(try await alice.client.post("\(inbox)/5/move", ["target": "Archive"]).status == 200)
        try await outside(["change", "INBOX", "STORE", "1", "-FLAGS", "(\\Seen)"])
        #expect(try await alice.messages()["unseen"] == 2)
        try await outside(["change", "INBOX", "STORE", "2", "+FLAGS", "(\\Deleted)"])
        #expect(try await alice.subjects() == ["Mail 4", "Mail 3", "Mail 1"])
        #expect(try await alice.client.get("\(inbox)/2").status == 404)
        #expect(try await alice.client.post("\(inbox)/2/move", ["target": "Archive"]).status == 404)
        #expect(try await alice.client.delete("\(inbox)/2").status == 404)
        #expect(try await alice.client.post("\(inbox)/1/move", ["target": "Nowhere"]).status == 404)
        #expect(try await alice.client.post("\(inbox)/1/move", ["target": "INBOX"]).faultyFields == ["target"])
    }

    /// What is kept between calls: a page as long as nothing was done, a message that was opened, the size of a folder.
    @Test func nothingThatIsKeptIsStale() async throws {
        func seen() async throws -> [Bool] {
            let opened = try await alice.client.get("\(inbox)/1").json(200)["seen"] == true
            let listed = try await alice.messages()["items"].items.last?["seen"] == true
            return [opened, listed]
        }
        func size() async throws -> Int {
            let folders = try await alice.client.get("/api/v1/mail/webmail/folders").json(200)["items"].items
            return try #require(folders.first { $0["path"] == "INBOX" }?["size"].int)
        }
        #expect(try await size() == 0)
        try await put(mail("Mail 1"))
        let one = try await size()
        #expect(one > 0)
        for _ in 0..<3 {
            for isSeen in [true, false] {
                try await outside(["change", "INBOX", "STORE", "1", isSeen ? "+FLAGS" : "-FLAGS", "(\\Seen)"])
                #expect(try await seen() == [isSeen, isSeen])
                #expect(try await seen() == [isSeen, isSeen], "and where nothing was done since")
            }
        }
        try await put(mail("Mail 2"))
        #expect(try await size() == 2 * one)
        #expect(try await alice.client.get("\(inbox)/1").status == 200)
        try await outside(["change", "INBOX", "STORE", "1", "+FLAGS", "(\\Deleted)"])
        #expect(try await alice.client.get("\(inbox)/1").status == 404)
        #expect(try await alice.subjects() == ["Mail 2"])
        #expect(try await size() == one)
    }

    /// What another client did before a call is told behind Dovecot's answer to it.
    @Test func flagsAreThoseOfNow() async throws {
        for count in 1...3 { try await put(mail("Mail \(count)")) }
        #expect(try await alice.subjects().count == 3)
        try await outside(["change", "INBOX", "STORE", "1", "+FLAGS", "(\\Flagged)"])
        let opened = try await alice.client.get("\(inbox)/1").json(200)
        #expect(opened["flags"] == ["\\Flagged"], "a mail that was listed and never opened")
        try await outside(["change", "INBOX", "STORE", "2", "+FLAGS", "(\\Flagged)"])
        let changed = try await alice.client.post("\(inbox)/2/flags", ["flags": ["\\Seen"]]).json(200)
        #expect(Set(changed["flags"].strings) == ["\\Flagged", "\\Seen"])
        try await outside(["change", "INBOX", "STORE", "1:3", "+FLAGS", "($Label)"])
        let batch = try await alice.client.post(
            "\(inbox)/batch", ["uids": [3], "action": "flags", "flags": ["\\Seen"], "mode": "remove"]
        ).json(200)
        #expect(batch["results"][0]["flags"] == ["$Label"])
    }

    @Test func aBatchTellsOfEachMessage() async throws {
        for count in 1...6 { try await put(mail("Mail \(count)")) }
        let batch = "\(inbox)/batch"
        let flagged = try await alice.client.post(
            batch, ["uids": [1, 2, 99, 2], "action": "flags", "flags": ["\\Flagged", "$Label"]]
        ).json(200)
        #expect(flagged["done"] == 2 && flagged["results"].items.count == 3)
        #expect(flagged["results"][0]["flags"].items.contains("\\Flagged"))
        #expect(flagged["results"][2] == ["uid": 99, "status": "missing"])
        let cleared = try await alice.client.post(
            batch, ["uids": [2], "action": "flags", "flags": [], "mode": "replace"]
        ).json(200)
        #expect(cleared["results"][0]["flags"] == [])

        try await outside(["change", "INBOX", "STORE", "3", "+FLAGS", "(\\Deleted)"])
        let moved = try await alice.client.post(batch, ["uids": [1, 2, 3], "action": "move", "target": "Archive"]).json(
            200)
        #expect(moved["done"] == 2 && moved["target"] == "Archive" && moved["target_uid_validity"].int != nil)
        #expect(moved["results"].items.map { $0["status"] } == ["done", "done", "missing"])
        let new = try #require(moved["results"][0]["new_uid"].int)
        #expect(try await alice.client.get(alice.message("Archive", new)).json(200)["subject"] == "Mail 1")
        let copied = try await alice.client.post(batch, ["uids": [4], "action": "copy", "target": "Archive"]).json(200)
        #expect(copied["done"] == 1)
        #expect(try await alice.subjects("Archive") == ["Mail 4", "Mail 2", "Mail 1"])

        let trashed = try await alice.client.post(batch, ["uids": [4, 5], "action": "delete"]).json(200)
        #expect(trashed["target"] == "Trash" && trashed["done"] == 2)
        let ended = try await alice.client.post(batch, ["uids": [6, 7], "action": "delete", "permanent": true]).json(
            200)
        #expect(ended["target"] == .null && ended["done"] == 1)
        #expect(try await alice.subjects().isEmpty)
        #expect(try await alice.subjects("Trash") == ["Mail 5", "Mail 4"])
    }

    @Test func batchesThatCannotBeAreRefused() async throws {
        let batch = "\(inbox)/batch"
        for (body, field) in [
            (["uids": [], "action": "delete"], "uids"), (["uids": [0], "action": "delete"], "uids.0"),
            (["uids": [1], "action": "shred"], "action"), (["uids": [1], "action": "move"], "target"),
            (["uids": [1], "action": "flags"], "flags"),
            (["uids": [1], "action": "flags", "flags": ["\\Recent"]], "flags.0"),
            (["uids": [1], "action": "flags", "flags": ["a b"]], "flags.0"),
            (["uids": .array((1...1001).map { .int($0) }), "action": "delete"], "uids"),
            (["uids": [1], "action": "delete", "flags": []], "flags"),
            (["uids": [1], "action": "copy", "target": "a\r\nb"], "target"),
        ] as [(JSON, String)] {
            let reply = try await alice.client.post(batch, body)
            #expect(reply.status == 422 && reply.faultyFields == [field], "\(body): \(reply.text)")
        }
        try await put(mail("One"))
        let nowhere = try await alice.client.post(batch, ["uids": [1], "action": "move", "target": "Nowhere"])
        #expect(nowhere.status == 404)
        #expect(
            try await alice.client.post(batch + "?uid_validity=1", ["uids": [1], "action": "delete"]).status == 409)
        #expect(try await alice.subjects() == ["One"])
    }

    @Test func changesSinceAStateAreTold() async throws {
        for count in 1...4 { try await put(mail("Mail \(count)")) }
        let page = try await alice.messages()
        let validity = try #require(page["uid_validity"].int), next = try #require(page["uid_next"].int)
        func changes(_ since: JSON, _ more: String = "") async throws -> Reply {
            try await alice.client.get(
                "/api/v1/mail/webmail/changes/INBOX?since=\(since.int ?? 0)&uid_validity=\(validity)\(more)")
        }
        let nothing = try await changes(page["modseq"]).json(200)
        #expect(nothing["new"] == [] && nothing["changed"] == [] && nothing["gone"] == [] && nothing["more"] == false)

        try await put(mail("Mail 5"))
        try await outside(["change", "INBOX", "STORE", "2", "+FLAGS", "(\\Flagged)"])
        try await outside(["change", "INBOX", "STORE", "3", "+FLAGS", "(\\Deleted)"])
        for more in ["", "&uid_next=\(next)"] {
            let told = try await changes(page["modseq"], more).json(200)
            #expect(told["new"].items.map { $0["subject"] } == ["Mail 5"])
            #expect(told["changed"].items.map { $0["uid"] } == [2])
            #expect(told["changed"][0]["flagged"] == true && told["gone"] == [3] && told["total"] == 4)
            #expect(try await changes(told["modseq"]).json(200)["changed"] == [], "and nothing twice")
        }
        _ = try await alice.client.post("\(inbox)/5/flags", ["flags": ["\\Seen"]]).json(200)
        let last = try await changes(nothing["modseq"], "&uid_next=6").json(200)
        #expect(last["new"] == [] && last["changed"].items.map { $0["uid"] } == [2, 5])
        #expect(try await changes(999_999_999).code == "changes_unknown")
        #expect(try await changes(0).faultyFields == ["since"])
        let other = try await alice.client.get("/api/v1/mail/webmail/changes/INBOX?since=1&uid_validity=7")
        #expect(other.code == "uid_validity_changed")
        #expect(try await alice.client.get("/api/v1/mail/webmail/changes/Nowhere?since=1").status == 404)
    }

    @Test func messagesOfAThreadAreOneItem() async throws {
        func reply(_ name: String, to references: String...) -> String {
            let header =
                "Message-ID: <\(name)@x>\r\nReferences: \(references.map { "<\($0)@x>" }.joined(separator: " "))\r\n"
            return header + mail("Re: \(name)").replacing(/Message-ID: <mail[^>]*>\r\n/, with: "")
        }
        let root = "Message-ID: <root@x>\r\n" + mail("Root").replacing(/Message-ID: <mail[^>]*>\r\n/, with: "")
        try await put(root, mail("Alone"), reply("a", to: "root"), reply("b", to: "root", "a"))
        let list = try await alice.client.get("\(inbox)?threads=true").json(200)
        #expect(list["total"] == 2)
        #expect(list["items"].items.map { $0["uid"] } == [4, 2])
        #expect(list["items"][0]["thread_count"] == 3 && list["items"][0]["thread_uids"] == [1, 3, 4])
        let id = try #require(list["items"][0]["thread_id"].string)
        try await put(reply("c", to: "root", "a", "b"))
        let later = try await alice.client.get("\(inbox)?threads=true&per_page=1").json(200)
        #expect(later["total"] == 2 && later["items"].items.count == 1)
        #expect(later["items"][0]["uid"] == 5 && later["items"][0]["thread_id"].string == id)
        let second = try await alice.client.get("\(inbox)?threads=true&per_page=1&page=2").json(200)
        #expect(second["items"][0]["subject"] == "Alone" && second["items"][0]["thread_count"] == 1)
        let found = try await alice.client.get("\(inbox)?threads=true&q=subject:Root").json(200)
        #expect(found["total"] == 1 && found["items"][0]["thread_id"].string == id)
        #expect(try await alice.client.get("\(inbox)?threads=true&page=9").json(200)["items"] == [])
    }

    @Test func attachmentsAreFound() async throws {
        func mixed(_ subject: String, _ part: String) -> String {
            mail(subject, body: "--q\r\nContent-Type: text/plain\r\n\r\nhi\r\n--q\r\n\(part)\r\n\r\nx\r\n--q--")
                .replacing(
                    "Message-ID:", with: "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\nMessage-ID:"
                )
        }
        try await put(
            mail("Plain"), mixed("Named", "Content-Type: application/pdf; name=x.pdf"),
            mixed("Disposed", "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=x.txt"),
            mixed("Inline", "Content-Type: image/png\r\nContent-Disposition: inline"))
        for _ in 1...2 {
            #expect(try await subjects("has_attachments=true") == ["Disposed", "Named"])
            #expect(try await subjects("has_attachments=false") == ["Inline", "Plain"])
            #expect(try await subjects("q=has:attachment%20subject:named") == ["Named"])
            #expect(try await subjects("q=-has:attachment&order=asc") == ["Plain", "Inline"])
        }
        let icons = try await alice.messages()["items"].items.filter { $0["has_attachments"] == true }
        #expect(icons.compactMap { $0["subject"].string } == ["Disposed", "Named"])
        try await put(mixed("Later", "Content-Type: application/zip"))
        let second = try await alice.client.get("\(inbox)?has_attachments=true&per_page=2&page=2").json(200)
        #expect(second["total"] == 3 && second["items"].items.map { $0["subject"] } == ["Named"])
    }

    @Test func searchesFindWhatTheySay() async throws {
        try await put(
            mail("Rechnung", from: "ann@shop.example", body: "Grüße aus Köln"),
            mail("Invoice", from: "bob@shop.example"),
            mail("=?utf-8?Q?=C3=9Cbersicht?=", from: "ann@home.example", body: String(repeating: "x", count: 5000)))
        try await outside(["change", "INBOX", "STORE", "2", "+FLAGS", "(\\Seen \\Answered)"])
        for (query, expected) in [
            ("from:ann", ["Übersicht", "Rechnung"]), ("-from:ann", ["Invoice"]), ("Übersicht", ["Übersicht"]),
            ("übersicht", ["Übersicht"]), ("body:Köln", ["Rechnung"]),
            ("from:bob OR subject:Rechnung", ["Invoice", "Rechnung"]),
            ("is:unread from:shop", ["Rechnung"]), ("is:answered", ["Invoice"]), ("larger:4k", ["Übersicht"]),
            ("smaller:4k is:read", ["Invoice"]), ("before:2020-01-01", []), ("after:2020-01-01 invoice", ["Invoice"]),
            (#"body:"Grüße aus""#, ["Rechnung"]), ("日本", []), ("NOT from:shop", ["Übersicht"]),
        ] as [(String, [String])] {
            #expect(try await subjects("q=\(escaped(query))") == expected, "\(query)")
        }
        #expect(try await subjects("q=from:ann&sort=subject&order=asc") == ["Rechnung", "Übersicht"])
        #expect(try await subjects("sort=size&order=desc&unseen=true") == ["Übersicht", "Rechnung"])
    }

    @Test(arguments: [
        "\" OR ALL", "{5+}", "{5}", "x) (DELETED", "\\", "from:\"a\\\" OR ALL", "from:*", "subject:%00", "ü{3+}",
        "NOT",
        "OR", "()", "from:NIL", "ALL UID 1:*", "\u{202e}x", "a\u{0}b",
    ]) func searchesStayTexts(query: String) async throws {
        try await put(mail("One"))
        let reply = try await alice.client.get("\(inbox)?q=\(escaped(query))")
        #expect(reply.status == 422 || reply.status == 200 && reply.json["total"] == 0, "\(reply.text)")
        #expect(try await alice.subjects() == ["One"])
    }
}
