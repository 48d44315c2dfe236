import Foundation
import TestSupport
import Testing

/// The folders of a mailbox by the API, and what another client does to them meanwhile.
@Suite(.timeLimit(.minutes(2))) struct FolderTests {
    let platform: Platform
    let alice: Mailbox
    private let route = "/api/v1/mail/webmail/folders"

    init() async throws {
        platform = try Platform()
        alice = try await platform.commonTenant().newMailbox(unique("alice"))
    }

    /// Python's imaplib at the same mailbox.
    private func outside(_ actions: JSON...) async throws -> [JSON] {
        var results: [JSON] = []
        for action in actions { results.append(try await alice.imap(.password(alice.password), action)[1]) }
        return results
    }

    private func folder(_ path: String) async throws -> JSON? {
        try await alice.client.get(route).json(200)["items"].items.first { $0["path"].string == path }
    }

    private func newFolder(_ path: String) async throws -> JSON {
        try await alice.client.post(route, ["path": .string(path)]).json(201)
    }

    private func put(_ subject: String, into folder: String) async throws {
        let mail = plainMail(from: "friend@elsewhere.example", to: alice.email, subject: subject)
        #expect(try await outside(["append", .string(folder), .string(mail)]) == ["OK"])
    }

    @Test func foldersAreMadeRenamedAndDeleted() async throws {
        let made = try await alice.client.post(route, ["name": "Übersicht", "parent": "Projekte & Co"])
        #expect(made.status == 201)
        #expect(made.headers["location"] == "\(route)/\(escaped("Projekte & Co/Übersicht"))")
        #expect(made.json["path"] == "Projekte & Co/Übersicht" && made.json["name"] == "Übersicht")
        #expect(made.json["subscribed"] == true && made.json["total"] == 0 && made.json["uid_validity"].int != nil)
        #expect(try await folder("Projekte & Co/Übersicht") != nil)
        #expect(try await outside(["subscribed"])[0].items.contains("Projekte &- Co/&ANw-bersicht"))
        #expect(try await alice.client.post(route, ["path": "Projekte & Co/Übersicht"]).code == "folder_exists")

        _ = try await newFolder("Work")
        _ = try await newFolder("Work/2025")
        let renamed = try await alice.client.patch("\(route)/Work", ["name": "Arbeit"]).json(200)
        #expect(renamed["path"] == "Arbeit" && renamed["subscribed"] == true)
        #expect(try await folder("Work") == nil)
        #expect(try await folder("Arbeit/2025")?["subscribed"] == true, "subscriptions go along")
        let hidden = try await alice.client.patch("\(route)/Arbeit", ["path": "Archive/Arbeit", "subscribed": false])
        #expect(hidden.json["path"] == "Archive/Arbeit" && hidden.json["subscribed"] == false)
        #expect(try await alice.client.patch("\(route)/Arbeit", ["subscribed": true]).status == 404)

        let place = "\(route)/\(escaped("Archive/Arbeit"))"
        #expect(try await alice.client.delete(place).code == "folder_not_empty")
        #expect(try await alice.client.delete(place + "?recursive=true").status == 204)
        #expect(try await folder("Archive/Arbeit/2025") == nil)
        #expect(try await alice.client.delete(place).status == 404)
        #expect(try await outside(["subscribed"])[0].items.allSatisfy { $0.string?.contains("Arbeit") == false })
        #expect(try await alice.client.delete("\(route)/\(escaped("Projekte & Co/Übersicht"))").status == 204)
    }

    @Test func inboxAndFoldersWithARoleStay() async throws {
        for name in ["INBOX", "inbox", "Trash", "Sent"] {
            #expect(try await alice.client.delete("\(route)/\(name)?recursive=true").code == "folder_protected")
            #expect(try await alice.client.patch("\(route)/\(name)", ["name": "Other"]).code == "folder_protected")
        }
        #expect(try await alice.client.post(route, ["path": "Inbox"]).code == "folder_exists")
        let roles = try await alice.client.get(route).json(200)["items"].items.compactMap { $0["role"].string }
        #expect(roles == ["inbox", "drafts", "sent", "junk", "trash", "archive"])
    }

    @Test func namesThatCannotBeAreRefused() async throws {
        let before = try await outside(["folders"])
        for name in [
            "", "/a", "a/", "a//b", "a\r\nA1 DELETE Sent", "a\u{0}", "*", "%", "..", String(repeating: "x", count: 300),
        ] {
            let reply = try await alice.client.post(route, ["path": .string(name)])
            #expect(reply.status == 422 && reply.faultyFields == ["path"], "\(name.debugDescription): \(reply.text)")
            let renamed = try await alice.client.patch("\(route)/Nowhere", ["path": .string(name)])
            #expect(renamed.status == 422 && renamed.faultyFields == ["path"], "\(name.debugDescription)")
        }
        #expect(try await alice.client.post(route, ["name": "a/b"]).faultyFields == ["name"])
        #expect(try await alice.client.post(route, ["name": "a", "path": "a"]).status == 422)
        #expect(try await alice.client.post(route, [:]).faultyFields == ["name"])
        #expect(try await alice.client.patch("\(route)/Nowhere", [:]).status == 422)
        #expect(try await alice.client.patch("\(route)/Nowhere", ["name": "Somewhere"]).status == 404)
        #expect(try await outside(["folders"]) == before, "nothing was made")
    }

    @Test func theListIsNeverStale() async throws {
        let first = try await alice.client.get(route)
        let tag = try #require(first.headers["etag"])
        let again = try await alice.client.get(route, headers: [("If-None-Match", tag)])
        #expect(again.status == 304 && again.body.isEmpty)
        try await put("One", into: "INBOX")
        let changed = try await alice.client.get(route, headers: [("If-None-Match", tag)])
        #expect(changed.status == 200 && changed.headers["etag"] != tag)
        #expect(try await folder("INBOX")?["unseen"] == 1)
        try await put("Two", into: "INBOX")
        #expect(try await folder("INBOX")?["total"] == 2)
        let uid = try #require(try await alice.messages()["items"][0]["uid"].int)
        _ = try await alice.client.post(alice.message("INBOX", uid) + "/flags", ["flags": ["\\Seen"]]).json(200)
        #expect(try await folder("INBOX")?["unseen"] == 1)
        #expect(try await outside(["change", "INBOX", "STORE", "1:*", "+FLAGS", "(\\Seen)"]) == ["OK"])
        #expect(try await folder("INBOX")?["unseen"] == 0)
        #expect(try await outside(["command", "create", "Elsewhere"]) == ["OK"])
        #expect(try await folder("Elsewhere") != nil)
    }

    /// Another client deletes the folder that a session has open, renames it, makes it anew.
    @Test(arguments: [0, 1200]) func aFolderThatIsMadeAnewIsAnother(age milliseconds: Int) async throws {
        let path = unique("Folder")
        let messages = "/api/v1/mail/webmail/messages/\(path)"
        _ = try await newFolder(path)
        for subject in ["Old 1", "Old 2"] { try await put(subject, into: path) }
        let listed = try await alice.messages(path)
        let former = try #require(listed["uid_validity"].int)
        #expect(listed["total"] == 2)
        try await Task.sleep(for: .milliseconds(milliseconds))
        #expect(try await outside(["command", "delete", .string(path)]) == ["OK"])
        let gone = try await alice.client.get(messages)
        #expect(gone.status == 404, "\(gone.text)")
        #expect(try await alice.client.post("\(messages)/1/flags", ["flags": ["\\Seen"]]).status == 404)

        // Made, listed, and made anew at once.
        #expect(try await outside(["command", "create", .string(path)]) == ["OK"])
        try await put("Middle", into: path)
        #expect(try await alice.subjects(path) == ["Middle"])
        try await Task.sleep(for: .milliseconds(milliseconds))
        let mail = plainMail(from: "friend@elsewhere.example", to: alice.email, subject: "New")
        let made = try await alice.imap(
            .password(alice.password), ["command", "delete", .string(path)], ["command", "create", .string(path)],
            ["append", .string(path), .string(mail)])
        #expect(made.dropFirst() == ["OK", "OK", "OK"])
        for (action, body) in [
            ("1/move", ["target": "Archive"]), ("1/flags", ["flags": ["\\Flagged"]]),
            ("batch", ["uids": [1], "action": "move", "target": "Archive"]),
            ("batch", ["uids": [1], "action": "delete", "permanent": true]),
        ] as [(String, JSON)] {
            let reply = try await alice.client.post("\(messages)/\(action)?uid_validity=\(former)", body)
            #expect(reply.code == "uid_validity_changed", "\(action): \(reply.text)")
        }
        let read = try await alice.client.get("\(messages)/1?uid_validity=\(former)")
        #expect(read.code == "uid_validity_changed")
        let deleted = try await alice.client.delete("\(messages)/1?uid_validity=\(former)")
        #expect(deleted.code == "uid_validity_changed")
        #expect(try await alice.subjects(path) == ["New"])
        #expect(try await outside(["flags", .string(path), 1])[0].items.allSatisfy { $0 != "\\Flagged" })
        #expect(try await alice.subjects("Archive").isEmpty)
    }

    @Test func aFolderRenamedByAnotherIsGone() async throws {
        let path = unique("Folder")
        _ = try await newFolder(path)
        try await put("One", into: path)
        #expect(try await alice.subjects(path) == ["One"])
        #expect(try await outside(["command", "rename", .string(path), .string(path + "-moved")]) == ["OK"])
        let messages = "/api/v1/mail/webmail/messages/\(path)"
        #expect(try await alice.client.post("\(messages)/1/move", ["target": "Archive"]).status == 404)
        #expect(try await alice.client.get(messages).status == 404)
        #expect(try await alice.subjects(path + "-moved") == ["One"])
    }
}
