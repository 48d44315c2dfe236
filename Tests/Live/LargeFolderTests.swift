import Foundation
import Glibc
import TestSupport
import Testing

/// A folder of 100,000 mails, or as many as `XYNAP_FOLDER_MAILS` says: every call is answered in time, and in bounded
/// memory.
@Suite(.timeLimit(.minutes(10))) struct LargeFolderTests {
    private static let copies = 10
    private static let distinct =
        (ProcessInfo.processInfo.environment["XYNAP_FOLDER_MAILS"].flatMap { Int($0) } ?? 100_000) / copies
    private static let count = distinct * copies
    /// The first mail of the last whole thread: no other number begins with this one.
    private static let opened = distinct / 3 * 3 - 3
    private static let inbox = "/api/v1/mail/webmail/messages/INBOX"

    let platform: Platform
    let alice: Mailbox
    let service: OwnService

    init() async throws {
        platform = try Platform()
        alice = try await platform.commonTenant().newMailbox(unique("alice"))
        _ = try await platform.hoster.patch(alice.accountRoute(), ["quota_mb": 1024]).json(200)
        // Unoptimised, and the first to sort: that none is cut off is shown here, how long each takes is printed.
        service = try await OwnService("webmail-proxy", of: platform, settings: ["MAIL_DEADLINE": "60s"])
    }

    private var client: Client { service.client.with(alice.client.credentials) }

    // MARK: The folder

    private var maildir: String {
        let parts = alice.email.split(separator: "@")
        return "\(platform.stack.state)/mail/vhosts/\(parts[1])/\(parts[0])/Maildir"
    }

    /// Every third begins a thread that the next two belong to.
    private static func mail(_ number: Int) -> Data {
        let references = number % 3 == 0 ? "" : "References: <\(number - number % 3)@large.test>\r\n"
        return Data(
            """
            From: Sender \(number % 97) <sender\(number % 97)@elsewhere.example>\r
            To: alice@large.test\r
            Subject: \(number % 3 == 0 ? "" : "Re: ")About number\(number - number % 3)\r
            Date: Mon, 23 Nov 2026 10:00:00 +0000\r
            Message-ID: <\(number)@large.test>\r
            \(references)\r
            Hello, this is number \(number).\r

            """.utf8)
    }

    /// As the files of a maildir, each mail under several names; every second mail has been read. The uids are those of the
    /// names' order. What a list shows is put into Dovecot's cache, as it is at delivery.
    private func fill() async throws {
        // Makes the folder.
        _ = try await alice.messages()
        var owner = stat()
        guard stat(maildir, &owner) == 0 else { throw Surprise("no folder at \(maildir)") }
        for number in 0..<Self.distinct {
            let mail = Self.mail(number)
            let flags = number.isMultiple(of: 2) ? "S" : ""
            let paths = (0..<Self.copies).map { copy in
                let position = String(10_000_000 + copy * Self.distinct + number)
                return "\(maildir)/cur/1700000000.M\(position)P1.large,S=\(mail.count),W=\(mail.count):2,\(flags)"
            }
            try mail.write(to: URL(filePath: paths[0]))
            guard chown(paths[0], owner.st_uid, owner.st_gid) == 0,
                paths.dropFirst().allSatisfy({ link(paths[0], $0) == 0 })
            else { throw Surprise("the mails could not be written") }
        }
        let index = try Outside(
            URL(filePath: "/usr/bin/doveadm"),
            ["-c", platform.stack.state + "/etc/dovecot/dovecot.conf", "index", "-u", alice.email, "INBOX"])
        guard await index.status() == 0 else { throw Surprise("the folder could not be indexed") }
    }

    // MARK: What is asked of it

    /// Makes a call that is answered within some time.
    private func answered(
        _ what: String, within limit: Duration, sourceLocation: SourceLocation = #_sourceLocation,
        _ call: () async throws -> Reply
    ) async throws -> JSON {
        let start = ContinuousClock.now
        let reply = try await call()
        let time = ContinuousClock.now - start
        print("\(Self.count) mails: \(what) took \(time), RSS \(try service.memory()) kB")
        #expect(reply.status == 200, "\(what): \(reply.text.prefix(300))", sourceLocation: sourceLocation)
        #expect(time < limit, "\(what)", sourceLocation: sourceLocation)
        return reply.json
    }

    @Test func everyCallIsAnsweredInTimeAndMemory() async throws {
        let start = ContinuousClock.now
        try await fill()
        print("\(Self.count) mails: made in \(ContinuousClock.now - start)")
        let before = try service.memory()
        let state = try await readPages()
        try await readSorted()
        try await flagMany(since: state)
        let after = try service.memory(), peak = try service.peakMemory()
        print("\(Self.count) mails: RSS \(before) kB before, \(after) kB after, \(peak) kB at most")
        #expect(peak - before < 256 << 10, "\(peak - before) kB more")
        #expect(service.isRunning)
        service.stop()
    }

    /// - Returns: The state of the folder.
    private func readPages() async throws -> Int {
        let soon = Duration.seconds(5)
        let first = try await answered("page 1", within: soon) { try await client.get(Self.inbox) }
        #expect(first["total"].int == Self.count && first["unseen"].int == Self.count / 2)
        #expect(first["items"].items.compactMap { $0["uid"].int } == (0..<50).map { Self.count - $0 })
        let deep = try await answered("the last page", within: soon) {
            try await client.get(Self.inbox + "?per_page=200&page=\(Self.count / 200)")
        }
        #expect(deep["items"].items.compactMap { $0["uid"].int } == Array((1...200).reversed()))
        let middle = try await answered("a page in the middle", within: soon) {
            try await client.get(Self.inbox + "?page=\(Self.count / 100)&order=asc")
        }
        #expect(middle["items"][0]["uid"].int == (Self.count / 100 - 1) * 50 + 1)
        let again = try await answered("page 1 again", within: soon) { try await client.get(Self.inbox) }
        #expect(again["items"] == first["items"])
        let mail = try await answered("a mail", within: soon) {
            try await client.get(Self.inbox + "/\(Self.opened + 1)")
        }
        #expect(mail["subject"].string == "About number\(Self.opened)")
        let folders = try await answered("folders", within: soon) {
            try await client.get("/api/v1/mail/webmail/folders")
        }
        let inbox = folders["items"].items.first { $0["path"] == "INBOX" }
        #expect(inbox?["total"].int == Self.count && inbox?["unseen"].int == Self.count / 2)
        return try #require(first["modseq"].int)
    }

    private func readSorted() async throws {
        let late = Duration.seconds(60)
        for order in ["desc", "asc"] {
            let sorted = try await answered("sorted by subject, \(order)", within: late) {
                try await client.get(Self.inbox + "?sort=subject&order=\(order)")
            }
            #expect(sorted["total"].int == Self.count && sorted["items"].items.count == 50)
        }
        let deep = try await answered("sorted by sender, a deep page", within: late) {
            try await client.get(Self.inbox + "?sort=from&page=\(Self.count / 100)")
        }
        #expect(deep["items"].items.count == 50)
        let unread = try await answered("unread", within: late) { try await client.get(Self.inbox + "?unseen=true") }
        #expect(unread["total"].int == Self.count / 2)
        #expect(unread["items"].items.allSatisfy { $0["seen"] == false })
        let found = try await answered("a search", within: late) {
            try await client.get(Self.inbox + "?q=subject:number\(Self.opened)")
        }
        #expect(found["total"].int == 3 * Self.copies)
        let threads = try await answered("threads", within: late) {
            try await client.get(Self.inbox + "?threads=true")
        }
        #expect(threads["items"].items.count == 50)
    }

    private func flagMany(since state: Int) async throws {
        for start in stride(from: 1, to: 10_001, by: 1000) {
            let uids = JSON.array((start..<start + 1000).map(JSON.int))
            let answer = try await answered("flags of 1,000 mails", within: .seconds(10)) {
                try await client.post(
                    Self.inbox + "/batch", ["uids": uids, "action": "flags", "flags": ["\\Flagged"], "mode": "add"])
            }
            #expect(answer["done"] == 1000)
        }
        var changed: [Int] = []
        var after = 0
        repeat {
            let query = "?since=\(state)" + (after > 0 ? "&after=\(after)" : "")
            let answer = try await answered("changes since a state", within: .seconds(10)) {
                try await client.get("/api/v1/mail/webmail/changes/INBOX" + query)
            }
            changed += answer["changed"].items.compactMap { $0["uid"].int }
            #expect(answer["new"] == [] && answer["gone"] == [])
            after = answer["more"] == true ? answer["after"].int ?? 0 : 0
        } while after > 0 && changed.count < 20_000
        #expect(changed.elementsEqual(1...10_000), "\(changed.count)")
        let flagged = try await answered("flagged", within: .seconds(60)) {
            try await client.get(Self.inbox + "?flagged=true")
        }
        #expect(flagged["total"] == 10_000)
    }
}
