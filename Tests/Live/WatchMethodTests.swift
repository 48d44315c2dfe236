import Foundation
import TestSupport
import Testing

/// The ways of hearing: by each the same events; the fast one in time, in order, and not to be fooled.
@Suite(.timeLimit(.minutes(3))) struct WatchMethodTests {
    let platform: Platform
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        bob = try await platform.commonTenant().newMailbox(unique("bob"))
    }

    @Test(arguments: [
        ("idle", ["WATCH_RECONCILE": "60s"]), ("push", [:]), ("poll", ["WATCH_POLL": "1s"]),
    ]) func everyWayTellsTheSame(method: String, settings: [String: String]) async throws {
        // Dovecot pushes to the stack's own watcher, which hands on what is not its own.
        let watcher = try await OwnService(
            "mail-watcher", of: platform, settings: settings.merging(["WATCH_METHOD": method]) { $1 })
        defer { watcher.stop() }
        let client = Client(base: watcher.client.base, credentials: bob.client.credentials)
        let stream = try await EventStream(client)
        let status = try await client.get("/api/v1/mail/watcher/status").json(200)["accounts"][0]
        #expect(status["method"].string == method && status["method_reason"] == "forced")
        #expect(status["state"] == "watching")

        let subjects = (1...3).map { "Mail \($0)" }
        try await bob.deliver(subjects)
        for subject in subjects { _ = try await stream.newMessage(subject: subject) }
        let flags = try await bob.client.post(bob.message("INBOX", 1) + "/flags", ["flags": ["\\Flagged"]])
        #expect(flags.status == 200)
        _ = try await stream.first(within: .seconds(10), "the flag is told") {
            $0["type"] == "mail.flags_changed"
                && $0["data"] == ["folder": "INBOX", "uid": 1, "flags": ["\\Flagged"]]
        }
        #expect(try await bob.client.delete(bob.message("INBOX", 2) + "?permanent=true").status == 204)
        _ = try await stream.first(within: .seconds(10), "the expunge is told") {
            $0["type"] == "mail.message_gone" && $0["data"] == ["folder": "INBOX", "uid": 2]
        }
        let mail = plainMail(from: bob.email, to: bob.email, subject: "Filed")
        #expect(try await bob.imap(.password(bob.password), ["append", "Archive", .string(mail)])[1] == "OK")
        let filed = try await stream.newMessage(subject: "Filed")
        #expect(filed["data"]["folder"] == "Archive")
        _ = try await stream.first(within: .seconds(10), "the counts are told") {
            $0["type"] == "mail.folder_update" && $0["data"] == ["folder": "INBOX", "unseen": 2, "exists": 2]
        }
        let heard = await stream.events("mail.new_message", folder: "INBOX")
        #expect(heard.compactMap { $0["data"]["message"]["subject"].string } == subjects)
        #expect(await stream.events("mail.message_gone").count == 1)
        #expect(await stream.events("mail.resync").isEmpty)
        await stream.close()
    }

    @Test func aBurstIsToldInOrderAndAtOnce() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        let subjects = (1...500).map { "Burst \($0)" }
        let deliveries = try await bob.deliver(subjects)
        let first = try #require(deliveries.first?["at"].double)
        let last = try #require(deliveries.last?["at"].double)
        let event = try await stream.newMessage(subject: "Burst 500")
        let heard = await stream.events("mail.new_message")
        #expect(heard.compactMap { $0["data"]["message"]["subject"].string } == subjects)
        #expect(heard.compactMap { $0["data"]["message"]["uid"].int } == Array(1...500))
        #expect(await stream.events("mail.resync").isEmpty)
        let updates = await stream.events("mail.folder_update", folder: "INBOX")
        #expect(
            Double(updates.count) <= 20 + (last - first) * 10,
            "counts are told ten times a second, not \(updates.count) times in \(last - first) s")
        let at = try #require(event["at"].string)
        let told = try Date(
            at, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: at.contains(".")))
        #expect(
            told.timeIntervalSince1970 - last < 0.5, "told \(told.timeIntervalSince1970 - last) s after the last 250")
        await stream.close()
    }

    @Test func aDeliveryIsToldWithinMilliseconds() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try await bob.deliver(["First"])
        _ = try await stream.newMessage(subject: "First")
        let begun = ContinuousClock.now
        try await bob.deliver(["Second"])
        let delivered = ContinuousClock.now
        _ = try await stream.newMessage(subject: "Second")
        // An idle session hears of it after 500 ms, once its process has noticed.
        #expect(ContinuousClock.now - delivered < .milliseconds(200), "delivered in \(delivered - begun)")
        await stream.close()
    }

    @Test func aMailboxIsWatchedForAWhileAfterItsLastListener() async throws {
        let watcher = try await OwnService("mail-watcher", of: platform, settings: ["WATCH_LINGER": "4s"])
        defer { watcher.stop() }
        let client = watcher.client.with(bob.client.credentials)
        func watches() async throws -> [JSON] {
            try await client.get("/api/v1/mail/watcher/status").json(200)["accounts"].items
        }
        let first = try await EventStream(client)
        let begun = try #require(try await watches().first)
        #expect(begun["state"] == "watching")
        await first.close()
        try await eventually(within: .seconds(2), "the listener has gone") {
            try await watches().first?["subscribers"] == 0
        }
        // Who comes back meanwhile finds the same watch, and keeps it.
        let second = try await EventStream(client)
        try await Task.sleep(for: .seconds(7))
        let kept = try #require(try await watches().first)
        #expect(kept["since"] == begun["since"] && kept["reconnects"] == begun["reconnects"])
        await second.close()
        let left = ContinuousClock.now
        try await eventually(within: .seconds(10), "the mailbox is given up") { try await watches().isEmpty }
        #expect(ContinuousClock.now - left > .seconds(3.5), "not as soon as nobody listens")
    }
}

/// What comes to the endpoint that mail servers push to.
@Suite(.timeLimit(.minutes(1))) struct PushTests {
    static let path = "/api/v1/mail/watcher/push"
    let platform: Platform
    let secret: String

    init() throws {
        platform = try Platform()
        secret = try String(contentsOfFile: platform.stack.state + "/secrets/push-secret", encoding: .utf8)
    }

    private var watcher: Client { Client(base: platform.stack.watcherURL) }

    @Test func withoutTheSecretItIsRefused() async throws {
        let body: JSON = ["user": "a@example.test", "events": []]
        let callers: [Client] = [
            watcher, watcher.with(.bearer("wrong")), watcher.with(.basic("dovecot:wrong")),
            watcher.with(.basic("other:\(secret)")), watcher.with(.serviceToken(platform.stack.serviceToken)),
        ]
        for caller in callers { #expect(try await caller.post(Self.path, body).status == 401) }
        for caller in [watcher.with(.bearer(secret)), watcher.with(.basic("dovecot:\(secret)"))] {
            #expect(try await caller.post(Self.path, body).status == 204)
        }
        let outside = platform.stranger.with(.bearer(secret))
        #expect(try await outside.post(Self.path, body).status == 404, "the gateway does not know it")
    }

    @Test func whatIsNoPushIsRefusedAndHarmsNothing() async throws {
        let server = watcher.with(.bearer(secret))
        let bodies: [(JSON, Int)] = [
            ([], 422), ([:], 422), (["user": 1], 422), (["user": "nobody", "events": []], 422),
            (["user": "a@example.test", "events": [["event": "MessageNew"]]], 422),
            (
                [
                    "user": "a@example.test",
                    "events": [["event": "MessageNew", "folder": "x", "uid": 4_294_967_296, "uid_validity": 1]],
                ],
                422
            ),
            (["user": "a@example.test", "events": [["event": "Whatever", "folder": "x"]], "new": [1]], 204),
            (["user": "nobody@nowhere.test", "event": "messageNew", "folder": "INBOX", "imap-uid": 1], 204),
        ]
        for (body, status) in bodies {
            let reply = try await server.post(Self.path, body)
            #expect(reply.status == status, "\(body): \(reply.text)")
        }
        let large: JSON = [
            "user": "a@example.test", "events": [], "x": .string(String(repeating: "x", count: 300_000)),
        ]
        #expect(try await server.post(Self.path, large).status == 413)
    }

    @Test func aPushOfNothingNewAnnouncesNothing() async throws {
        let bob = try await platform.commonTenant().newMailbox(unique("bob"))
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try await bob.deliver(["Real"])
        let real = try await stream.newMessage(subject: "Real")["data"]["message"]["uid"].int ?? 0
        let server = watcher.with(.bearer(secret))
        for (uid, validity) in [(real, 1), (real, 4_000_000_000), (real + 7, 1)] {
            let event: JSON = [
                "event": "MessageNew", "folder": "INBOX", "uid": .int(uid), "uid_validity": .int(validity),
                "subject": "Forged",
            ]
            let push: JSON = ["user": .string(bob.email), "events": [event]]
            for _ in 0..<3 { #expect(try await server.post(Self.path, push).status == 204) }
        }
        try await bob.deliver(["Later"])
        _ = try await stream.newMessage(subject: "Later")
        #expect(await stream.newMessages(subject: "Forged").isEmpty)
        #expect(await stream.events("mail.new_message").count == 2)
        await stream.close()
    }

    @Test func whoAsksBeforeSendingIsAnswered() async throws {
        let body = #"{"user":"a@example.test","events":[]}"#
        let curl = try Outside(
            URL(filePath: "/usr/bin/curl"),
            [
                "-s", "-o", "/dev/null", "-w", "%{http_code} %{time_total}\n", "--expect100-timeout", "20", "-H",
                "Expect: 100-continue", "-H", "Authorization: Bearer \(secret)", "-H", "Content-Type: application/json",
                "-d", body, platform.stack.watcherURL + Self.path,
            ])
        let words = try await curl.line().split(separator: " ")
        #expect(words.first == "204" && Double(words.last ?? "99") ?? 99 < 5, "\(words)")
    }
}

extension Mailbox {
    /// Hands mails to Dovecot as Postfix does, until each has its 250.
    @discardableResult func deliver(
        _ subjects: [String], pause: Double = 0, retrying seconds: Int = 0
    ) async throws -> [JSON] {
        let task: JSON = [
            "host": .string(platform.stack.imapHost), "port": .int(platform.stack.lmtpPort), "to": .string(email),
            "subjects": .array(subjects.map(JSON.string)), "pause": .double(pause), "retry": .int(seconds),
        ]
        let process = try Outside(script: "deliver.py", task)
        // One line for each, not up to the end: servers that are started meanwhile may hold the pipe open.
        var results: [JSON] = []
        for _ in subjects { results.append(try await process.next()) }
        let refused = results.filter { $0["error"] != .null }
        guard refused.isEmpty else { throw Surprise("not delivered: \(refused)") }
        return results
    }
}
