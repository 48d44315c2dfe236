import Foundation
import TestSupport
import Testing

/// Here, since a watcher of everything logs in to the mailboxes of all other tests.
extension FaultTests {
    @Test func whoWatchesAllNeedsNobodyWhoListens() async throws {
        // With a Redis of its own it shares the mailboxes with no replica that watches only what somebody listens to.
        let (redis, redisURL) = try await PrivateServer.redis()
        defer { redis.kill() }
        let watcher = try await OwnService(
            "mail-watcher", of: platform,
            settings: [
                "WATCH": "all", "WATCH_METHOD": "idle", "WATCH_LINGER": "1s", "WATCH_LOGINS": "4",
                "REDIS_URL": redisURL,
            ])
        defer { watcher.stop() }
        let hoster = watcher.client.with(.serviceToken(platform.stack.serviceToken))
        func status(of mailbox: Mailbox) async throws -> JSON {
            let accounts = try await hoster.get("/api/v1/mail/watcher/status").json(200)["accounts"].items
            return accounts.first { $0["account"].string == mailbox.email } ?? .null
        }

        let late = try await tenant.newMailbox("late")
        for mailbox in [alice, bob, late] {
            try await eventually(within: .seconds(30), "\(mailbox.email) is watched") {
                try await status(of: mailbox)["state"] == "watching"
            }
        }
        try await late.deliver(["Unheard"])
        try await eventually(within: .seconds(10), "it is announced though nobody listens") {
            try await status(of: late)["last_event_at"] != .null
        }
        let stream = try await EventStream(watcher.client.with(late.client.credentials), query: "?since=0-0")
        _ = try await stream.newMessage(subject: "Unheard")
        await stream.close()

        #expect(try await platform.hoster.delete(late.accountRoute()).status == 204)
        try await eventually(within: .seconds(20), "a deleted mailbox is given up") {
            try await status(of: late) == .null
        }
        #expect(try await status(of: alice)["state"] == "watching")
    }
}
