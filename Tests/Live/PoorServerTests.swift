import Foundation
import TestSupport
import Testing

/// A mail server that can less than Dovecot: slower, but nothing is missed.
@Suite(.timeLimit(.minutes(2))) struct PoorServerTests {
    static let bare = [
        "NOTIFY", "IDLE", "CONDSTORE", "QRESYNC", "ENABLE", "LIST-STATUS", "LIST-EXTENDED", "SPECIAL-USE", "PREVIEW",
        "ESEARCH", "SASL-IR", "LITERAL+",
    ]

    let platform: Platform
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        bob = try await platform.commonTenant().newMailbox(unique("bob"))
    }

    @Test(arguments: [
        (["NOTIFY"], "idle", "default"), (["NOTIFY", "IDLE"], "poll", "no_idle"),
        (PoorServerTests.bare, "poll", "no_idle"),
    ]) func whatItCannotTellIsFoundByLooking(hides: [String], method: String, reason: String) async throws {
        let stack = platform.stack
        let server = try Outside(
            dialog: "poor_imap.py",
            [
                "host": .string(stack.imapHost), "port": .int(stack.imapPort),
                "hides": .array(hides.map(JSON.string)),
            ])
        let port = try #require(try await server.next()["port"].int)
        // With a Redis of its own no push comes by way of the other watcher.
        let (redis, redisURL) = try await PrivateServer.redis()
        defer { redis.kill() }
        let watcher = try await OwnService(
            "mail-watcher", of: platform,
            settings: [
                "IMAP_PORT": "\(port)", "REDIS_URL": redisURL, "WATCH_RECONCILE": "1s", "WATCH_POLL": "1s",
            ])
        defer { watcher.stop() }
        let client = watcher.client.with(bob.client.credentials)
        let stream = try await EventStream(client)
        try await eventually(within: .seconds(10), "the mailbox is heard by \(method)") {
            let status = try await client.get("/api/v1/mail/watcher/status").json(200)["accounts"][0]
            return status["state"] == "watching" && status["method"].string == method
                && status["method_reason"].string == reason
        }

        let subjects = (1...3).map { "Mail \($0)" }
        try await bob.deliver(subjects)
        for subject in subjects { _ = try await stream.newMessage(subject: subject) }
        let mail = plainMail(from: bob.email, to: bob.email, subject: "Filed")
        #expect(try await bob.imap(.password(bob.password), ["append", "Archive", .string(mail)])[1] == "OK")
        #expect(try await stream.newMessage(subject: "Filed")["data"]["folder"] == "Archive")
        #expect(try await bob.client.delete(bob.message("INBOX", 2) + "?permanent=true").status == 204)
        _ = try await stream.first(within: .seconds(10), "the counts are told") {
            $0["type"] == "mail.folder_update" && $0["data"] == ["folder": "INBOX", "unseen": 2, "exists": 2]
        }
        let heard = await stream.events("mail.new_message", folder: "INBOX")
        #expect(heard.compactMap { $0["data"]["message"]["subject"].string } == subjects)
        #expect(await stream.events("mail.resync").isEmpty)
        await stream.close()

        try server.say("refused")
        #expect(try await server.next()["refused"] == [], "what the server cannot do is not asked of it")
    }
}
