import Foundation
import TestSupport
import Testing

/// What a client may do to its WebSocket at the watcher: whatever it is, it is told why, given up, and nobody else notices.
@Suite(.timeLimit(.minutes(2))) struct SocketFaultTests {
    let platform: Platform
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        bob = try await platform.commonTenant().newMailbox(unique("bob"))
    }

    /// A socket of bob's at the watcher, open.
    private func withSocket(
        _ base: String? = nil, _ body: @Sendable (inout RawClient) async throws -> Void
    ) async throws {
        let url = URL(string: base ?? platform.stack.watcherURL)
        let token = bob.accessToken
        try await RawClient.connected(port: try #require(url?.port)) { client in
            let head = try await client.open("/api/v1/mail/events", headers: ["Authorization": "Bearer \(token)"])
            #expect(head.hasPrefix("HTTP/1.1 101 "), "\(head)")
            try await body(&client)
        }
    }

    private func subscribers(_ client: Client) async throws -> Int? {
        try await client.get("/api/v1/mail/watcher/status").json(200)["accounts"][0]["subscribers"].int
    }

    @Test(
        arguments: [
            ("unmasked", RawClient.frame(1, [0x78], masked: false), 1002),
            ("reserved bit", RawClient.frame(1, [0x78], reserved: 0x40), 1002),
            ("unknown opcode", RawClient.frame(3, [0x78]), 1002),
            ("not UTF-8", RawClient.frame(1, [0xff, 0xfe]), 1007),
            ("binary", RawClient.frame(2, [1, 2, 3]), 1003),
            ("a long ping", RawClient.frame(9, [UInt8](repeating: 0x78, count: 126)), 1002),
            ("a huge frame", RawClient.frame(1, [UInt8](repeating: 0x78, count: 70_000)), 1009),
            // Of the eight exabytes that it promises, none is waited for.
            ("a frame without end", [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1009),
        ] as [(String, [UInt8], Int)])
    func aFrameThatMayNotBeEndsItsSocketAlone(name: String, bytes: [UInt8], code: Int) async throws {
        let neighbour = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try await withSocket { client in
            try await client.write(bytes)
            var frame = try await client.next()
            while let other = frame, other.opcode != 8 { frame = try await client.next() }
            #expect(frame?.code == code, "\(name)")
        }
        try await bob.deliver([name])
        _ = try await neighbour.newMessage(subject: name)
        await neighbour.close()
    }

    @Test func aMessageWithoutEndIsNotGathered() async throws {
        try await withSocket { client in
            let part = [UInt8](repeating: 0x78, count: 60_000)
            var frame: RawClient.Frame?
            for index in 0..<20 {
                do { try await client.write(RawClient.frame(index == 0 ? 1 : 0, part, fin: false)) } catch { break }
            }
            repeat { frame = try await client.next() } while frame.map { $0.opcode != 8 } ?? false
            #expect(frame?.code == 1009)
        }
    }

    @Test func whatItSaysIsPassedOver() async throws {
        try await withSocket { client in
            for index in 0..<200 { try await client.text("chatter \(index)") }
            try await client.write(RawClient.frame(9, Array("there?".utf8)))
            var frame = try await client.next()
            while let other = frame, other.opcode != 10 { frame = try await client.next() }
            #expect(frame?.text == "there?")
        }
    }

    @Test func whoGivesNoSignOfLifeIsCutOff() async throws {
        let own = try await OwnService("mail-watcher", of: platform, settings: ["EVENTS_PING": "500ms"])
        defer { own.stop() }
        let watcher = Client(base: own.client.base, credentials: bob.client.credentials)
        try await withSocket(own.client.base) { client in
            let before = try await subscribers(watcher), begun = ContinuousClock.now
            #expect(before == 1)
            // The pings are read and never answered.
            let isClosed = try await client.isClosed()
            #expect(isClosed)
            #expect(ContinuousClock.now - begun < .seconds(5))
        }
        try await eventually(within: .seconds(5), "its subscriber is gone") { try await subscribers(watcher) == 0 }
    }

    @Test func halfOfASocketIsNone() async throws {
        let watcher = Client(base: platform.stack.watcherURL, credentials: bob.client.credentials)
        try await withSocket { client in
            client.finish()
            let isClosed = try await client.isClosed()
            #expect(isClosed)
        }
        try await eventually(within: .seconds(5), "its subscriber is gone") { try await subscribers(watcher) == 0 }
    }
}
