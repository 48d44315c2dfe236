import Foundation
import Glibc
import TestSupport
import Testing

/// Every mail is announced exactly once to a client that reconnects with its last id, whatever dies or hangs.
extension FaultTests {
    /// `XYNAP_EVENT_MAILS=1000` for a long flow.
    private static let mails = Int(ProcessInfo.processInfo.environment["XYNAP_EVENT_MAILS"] ?? "") ?? 250

    /// A steady flow of mails to bob while `trouble` goes on; then the client's list is compared with the mailbox.
    private func everyMailIsAnnouncedOnce(
        to client: ResumingClient, while trouble: () async throws -> Void
    ) async throws {
        let subjects = (1...Self.mails).map { "Flow \($0)" }
        let flow = Task { _ = try await bob.deliver(subjects, pause: 0.04, retrying: 60) }
        try await trouble()
        try await flow.value
        // A delivery that was cut off before its 250 is there twice: the mailbox is what counts.
        var uids: [Int] = []
        for page in 1... {
            let items = try await bob.messages("INBOX", "?per_page=200&page=\(page)")["items"].items
            uids += items.compactMap { $0["uid"].int }
            if items.count < 200 { break }
        }
        uids.sort()
        try await eventually(within: .seconds(90), "every mail is announced") {
            await Set(client.uids).isSuperset(of: uids)
        }
        try await Task.sleep(for: .seconds(1))
        #expect(await client.uids == uids, "each once, in order")
        #expect(await client.resyncs == 0)
        await client.stop()
    }

    @Test func everyMailIsAnnouncedOnceWhileServersDie() async throws {
        let client = ResumingClient(bob.client, at: [platform.stack.gatewayURL])
        try await client.begin()
        try await everyMailIsAnnouncedOnce(to: client) {
            for victim in ["dovecot", "redis", "mariadb", "mail-watcher"] {
                try await Task.sleep(for: .seconds(1))
                if victim == "dovecot" { try stack.killWithChildren(victim) } else { try stack.kill(victim) }
                try await Task.sleep(for: .milliseconds(300))
                try await stack.up()
            }
        }
    }

    @Test func everyMailIsAnnouncedOnceWhileServersHang() async throws {
        let client = ResumingClient(bob.client, at: [platform.stack.gatewayURL])
        try await client.begin()
        try await everyMailIsAnnouncedOnce(to: client) {
            for victim in ["dovecot", "redis", "mariadb", "mail-watcher"] {
                try await Task.sleep(for: .seconds(1))
                try await stack.freezing(victim) { try await Task.sleep(for: .seconds(4)) }
            }
        }
    }

    /// The replica that watches, and to which the client is connected, is killed.
    @Test func anotherReplicaTakesOver() async throws {
        let launch = try Launch("mail-watcher", of: platform)
        let (second, base) = try await launch.replica(port: try freePort())
        let client = ResumingClient(bob.client, at: [base, platform.stack.watcherURL])
        try await client.begin()
        try await everyMailIsAnnouncedOnce(to: client) {
            try await Task.sleep(for: .seconds(2))
            Glibc.kill(second.pid, SIGKILL)
            let begun = ContinuousClock.now
            let watcher = Client(base: platform.stack.watcherURL, credentials: bob.client.credentials)
            try await eventually(within: .seconds(12), "the other replica watches") {
                try await watcher.get("/api/v1/mail/watcher/status").json(200)["accounts"][0]["state"] == "watching"
            }
            #expect(ContinuousClock.now - begun < .seconds(10), "took over after \(ContinuousClock.now - begun)")
        }
    }

    /// The replica that the pushes go to hangs while it watches; when it goes on, it must not announce anything again.
    @Test func aReplicaThatHungIsNotHeardAgain() async throws {
        let launch = try Launch("mail-watcher", of: platform)
        let (second, base) = try await launch.replica(port: try freePort())
        defer { second.terminate() }
        // Its own stream makes the first replica the one that watches.
        let own = try await EventStream(Client(base: platform.stack.watcherURL, credentials: bob.client.credentials))
        let client = ResumingClient(bob.client, at: [base])
        try await client.begin()
        try await everyMailIsAnnouncedOnce(to: client) {
            try await Task.sleep(for: .seconds(1))
            try await stack.freezing("mail-watcher") { try await Task.sleep(for: .seconds(12)) }
        }
        await own.close()
    }

    /// Without Redis a replica leaves alone what another watches: one mail has one id, whoever hears of it.
    @Test func anOutageOfRedisDoesNotMakeTwoReplicasAnnounce() async throws {
        let launch = try Launch("mail-watcher", of: platform)
        let (second, base) = try await launch.replica(port: try freePort())
        defer { second.terminate() }
        let own = try await EventStream(Client(base: platform.stack.watcherURL, credentials: bob.client.credentials))
        let other = try await EventStream(Client(base: base, credentials: bob.client.credentials))
        // Both have heard who has the lease.
        try await Task.sleep(for: .seconds(2))
        try stack.kill("redis")
        try await Task.sleep(for: .seconds(1))
        try await bob.deliver(["Meanwhile"])
        let announced = try await own.newMessage(subject: "Meanwhile")
        try await Task.sleep(for: .seconds(2))
        try await stack.up()
        let heard = try await other.newMessage(subject: "Meanwhile", within: .seconds(20))
        #expect(heard["id"].string == announced["id"].string)
        try await bob.deliver(["Afterwards"])
        for stream in [own, other] {
            _ = try await stream.newMessage(subject: "Afterwards")
            #expect(await stream.newMessages(subject: "Meanwhile").count == 1)
            await stream.close()
        }
    }

    @Test func aReplicaThatStopsHandsItsMailboxesOver() async throws {
        let launch = try Launch("mail-watcher", of: platform)
        let (second, base) = try await launch.replica(port: try freePort())
        let client = ResumingClient(bob.client, at: [base, platform.stack.watcherURL])
        try await client.begin()
        let here = try await EventStream(Client(base: platform.stack.watcherURL, credentials: bob.client.credentials))
        second.terminate()
        let watcher = Client(base: platform.stack.watcherURL, credentials: bob.client.credentials)
        try await eventually(within: .seconds(10), "the other replica watches") {
            try await watcher.get("/api/v1/mail/watcher/status").json(200)["accounts"][0]["state"] == "watching"
        }
        try await bob.deliver(["Handed over"])
        _ = try await here.newMessage(subject: "Handed over")
        try await eventually(within: .seconds(5), "the client hears it there") { await client.uids == [1] }
        await client.stop()
        await here.close()
    }
}

/// A client as the documentation wants it: whenever its socket ends it comes back, to the next address, with the id of the
/// last event that it heard.
actor ResumingClient {
    private let client: Client
    private let bases: [String]
    private var last = ""
    private var running: Task<Void, Never>?
    /// Of `mail.new_message` in INBOX, in the order heard.
    private(set) var uids: [Int] = []
    private(set) var resyncs = 0

    init(_ client: Client, at bases: [String]) {
        self.client = client
        self.bases = bases
    }

    /// Returns when it listens.
    func begin() async throws {
        var stream: EventStream? = try await open(bases[0])
        // What is announced first has an id that it can come back with.
        running = Task {
            var attempt = 0
            while !Task.isCancelled {
                attempt += 1
                if stream == nil { stream = try? await open(bases[attempt % bases.count]) }
                if let stream { await follow(stream) } else { try? await Task.sleep(for: .milliseconds(100)) }
                stream = nil
            }
        }
    }

    func stop() async {
        running?.cancel()
        await running?.value
    }

    private func open(_ base: String) async throws -> EventStream {
        try await EventStream(
            Client(base: base, credentials: client.credentials), query: last.isEmpty ? "" : "?since=\(last)")
    }

    private func follow(_ stream: EventStream) async {
        var taken = 0
        while !Task.isCancelled {
            // First whether it has ended, then what it heard until then.
            let hasEnded = await stream.closeCode != nil
            let events = await stream.events
            for event in events[taken...] { take(event) }
            taken = events.count
            if hasEnded { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
        await stream.close()
    }

    private func take(_ event: JSON) {
        if let id = event["id"].string, !id.isEmpty { last = id }
        if event["type"] == "mail.resync" { resyncs += 1 }
        if event["type"] == "mail.new_message", event["data"]["folder"] == "INBOX",
            let uid = event["data"]["message"]["uid"].int
        {
            uids.append(uid)
        }
    }
}
