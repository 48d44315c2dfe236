import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Drafts and uploads, and how they become mails.
@Suite(.timeLimit(.minutes(3))) struct DraftTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
        bob = try await tenant.newMailbox(unique("bob"))
    }

    @Test func aDraftIsKeptChangedAndSent() async throws {
        let first = try await alice.client.post(Mailbox.draftsPath, ["subject": "D"]).json(201)
        #expect(first["folder"] == "Drafts" && first["id"].string?.isEmpty == false)
        let uid = try #require(first["uid"].int)
        let upload = try await alice.upload(Data(repeating: 7, count: 100_000), filename: "b.bin").json(201)
        let second = try await alice.client.put(
            "\(Mailbox.draftsPath)/\(uid)?uid_validity=\(first["uid_validity"].int ?? 0)",
            [
                "to": [.string(bob.email)], "bcc": ["blind@elsewhere.example"], "subject": "D2", "plain": "x",
                "attachments": [["upload_id": upload["id"]]],
            ]
        ).json(200)
        let draft = try #require(second["uid"].int)
        #expect(draft != uid)
        #expect(try await alice.client.get("\(Mailbox.uploadsPath)/\(upload["id"].int ?? 0)").status == 404)
        let outside = try await alice.imap(
            .password(alice.password), ["subjects", "Drafts"], ["flags", "Drafts", .int(draft)])
        #expect(outside[1].strings == ["D2"])
        #expect(Set(outside[2].strings).isSuperset(of: ["\\Draft", "\\Seen"]))
        #expect(try await alice.raw("Drafts", draft).contains("Bcc: blind@elsewhere.example"))
        let read = try await alice.client.get(alice.message("Drafts", draft)).json(200)
        let part = read["attachments"].items[0]
        #expect(part["filename"] == "b.bin")
        // Kept across a change by its part of the draft.
        let third = try await alice.client.put(
            "\(Mailbox.draftsPath)/\(draft)",
            [
                "subject": "D3",
                "attachments": [["message": ["folder": "Drafts", "uid": .int(draft), "part": part["part"]]]],
            ]
        ).json(200)
        let last = try #require(third["uid"].int)
        let sent = try await alice.send([
            "to": [.string(bob.email)], "subject": "Final", "plain": "x", "draft_uid": .int(last),
            "attachments": [["message": ["folder": "Drafts", "uid": .int(last), "part": part["part"]]]],
        ]).json(202)
        #expect(sent["state"] == "sent")
        #expect(try await alice.subjects("Drafts") == [])
        let arrived = try await bob.arrival(of: "Final")
        let attachment = try await bob.client.get(
            bob.message("INBOX", arrived) + "/attachments/\(part["part"].string ?? "")")
        #expect(attachment.body == Data(repeating: 7, count: 100_000))
    }

    @Test func onlyTheDraftThatWasMeantIsRemoved() async throws {
        let made = try await alice.client.post(Mailbox.draftsPath, ["subject": "Meant"]).json(201)
        let uid = try #require(made["uid"].int), validity = try #require(made["uid_validity"].int)
        for (given, left) in [(1, ["Meant"]), (validity, [])] {
            let sent = try await alice.client.post(
                "/api/v1/mail/webmail/send?uid_validity=\(given)",
                ["to": [.string(bob.email)], "subject": "Meant", "plain": "x", "draft_uid": .int(uid)]
            ).json(202)
            #expect(sent["state"] == "sent")
            #expect(try await alice.subjects("Drafts") == left)
        }
    }

    @Test func draftsThatAreNotThereAreNotFound() async throws {
        #expect(try await alice.client.put("\(Mailbox.draftsPath)/4711", ["subject": "x"]).status == 404)
        #expect(try await alice.client.delete("\(Mailbox.draftsPath)/4711").status == 404)
        let made = try await alice.client.post(Mailbox.draftsPath, [:]).json(201)
        let path = "\(Mailbox.draftsPath)/\(made["uid"].int ?? 0)"
        #expect(try await alice.client.put(path + "?uid_validity=1", ["subject": "x"]).status == 409)
        #expect(try await alice.client.delete(path).status == 204)
        #expect(try await alice.subjects("Drafts") == [])
        let key = unique("draft")
        let once: JSON = ["subject": "Once"]
        for _ in 0..<2 {
            let reply = try await alice.client.send(
                .POST, Mailbox.draftsPath, once, headers: [("Idempotency-Key", key)])
            #expect(reply.status == 201)
        }
        #expect(try await alice.subjects("Drafts") == ["Once"])
    }

    @Test func anUploadIsAttachedOnce() async throws {
        let bytes = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        let upload = try await alice.upload(bytes, filename: "Übersicht.pdf", type: "application/pdf").json(201)
        #expect(upload["size"].int == bytes.count && upload["filename"] == "Übersicht.pdf")
        #expect(upload["content_type"] == "application/pdf")
        let id = try #require(upload["id"].int)
        #expect(try await bob.client.get("\(Mailbox.uploadsPath)/\(id)").status == 404)
        let stolen = try await bob.send(["to": [.string(bob.email)], "attachments": [["upload_id": .int(id)]]])
        #expect(stolen.status == 422 && stolen.faultyFields == ["attachments.0.upload_id"])
        let mail: JSON = [
            "to": [.string(bob.email)], "subject": "Big", "plain": "x", "attachments": [["upload_id": .int(id)]],
        ]
        let sent = try await alice.send(mail).json(202)
        #expect(sent["state"] == "sent")
        let uid = try await bob.arrival(of: "Big")
        let read = try await bob.client.get(bob.message("INBOX", uid)).json(200)["attachments"].items
        #expect(read.map { $0["filename"] } == ["Übersicht.pdf"])
        let got = try await bob.client.get(bob.message("INBOX", uid) + "/attachments/\(read[0]["part"].string ?? "")")
        #expect(got.body == bytes)
        let copy = try await alice.client.get(
            alice.message("Sent", sent["sent"]["uid"].int ?? 0) + "/attachments/\(read[0]["part"].string ?? "")")
        #expect(copy.body == bytes)
        #expect(try await alice.send(mail).status == 422)
    }

    @Test func whatIsNoUploadIsRefused() async throws {
        func post(_ body: String, _ type: String) async throws -> Reply {
            try await alice.client.send(.POST, Mailbox.uploadsPath, bytes: Data(body.utf8), type: type)
        }
        let form = "multipart/form-data; boundary=b"
        let part = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nx\r\n"
        #expect(try await post(part + "--b--", "text/plain").status == 415)
        #expect(try await post(part + "--b--", "multipart/form-data").status == 400)
        #expect(try await post(part, form).status == 400)
        #expect(try await post("", form).status == 400)
        #expect(try await post(part + part + "--b--", form).status == 422)
        #expect(
            try await post("--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n--b--", form).status == 422)
        #expect(try await post("--b--", form).status == 422)
        let good = try await post(part + "--b--\r\n", form).json(201)
        #expect(try await alice.client.delete("\(Mailbox.uploadsPath)/\(good["id"].int ?? 0)").status == 204)
        let many: [JSON] = (0..<4).map { _ in
            ["filename": "a", "content": .string(String(repeating: "A", count: 12 << 20))]
        }
        let large = try await alice.send(["to": [.string(bob.email)], "attachments": .array(many)])
        #expect(large.status == 413 && large.code == "attachments_too_large", "\(large.text)")
    }

    /// What a 25 MB upload costs in memory.
    @Test func anUploadPassesThroughWithoutBeingHeld() async throws {
        let pid = try String(contentsOfFile: platform.stack.pidsDirectory + "/webmail-proxy", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        func peak() throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
            return line.flatMap { Int($0.split(whereSeparator: \.isWhitespace)[1]) } ?? 0
        }
        let bytes = Data(repeating: 0x2d, count: 25 << 20)
        // Sets the high-water mark to what is in use now.
        try "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8)
        let before = try peak()
        let upload = try await alice.upload(bytes, filename: "big").json(201)
        let grown = try peak() - before
        #expect(upload["size"].int == bytes.count)
        // No other test runs beside this one (scripts/run-tests).
        #expect(grown < 20 << 10, "\(grown) kB more")
        #expect(try await alice.client.delete("\(Mailbox.uploadsPath)/\(upload["id"].int ?? 0)").status == 204)
    }
}
