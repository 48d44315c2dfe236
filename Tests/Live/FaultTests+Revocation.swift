import Foundation
import Testing

/// Two replicas of auth-server, every kind of live session, one revocation at the first replica.
extension FaultTests {
    /// Another auth-server, with the settings of the one that runs.
    func secondReplica() async throws -> (process: Outside, dovecot: Client) {
        let (process, base) = try await Launch(pid: stack.pid("auth-server")).replica(port: OwnStack.portBase + 90)
        return (process, Client(base: base, credentials: platform.dovecot.credentials))
    }

    /// Opens everything that a mailbox can have open, revokes it, and says how long each thing took to end.
    private func timingsOfARevocation(
        second: Client, around revoke: (_ call: () async throws -> Void) async throws -> Void
    ) async throws -> [(what: String, seconds: Double)] {
        let token = try await alice.mailToken()
        let app = try await alice.appPassword("held")
        let appPassword = app["password"].string ?? ""
        let held = [
            ("IMAP by app password", try await alice.holdIMAP(.password(appPassword), seconds: 30)),
            ("IMAP by mail token", try await alice.holdIMAP(.xoauth2(token), seconds: 30)),
            ("IMAP by password", try await alice.holdIMAP(.password(alice.password), seconds: 30)),
            ("SMTP by mail token", try await alice.holdSubmission(.xoauth2(token), to: bob.email, seconds: 30)),
        ]
        let stream = try await EventStream(alice.client)
        try await expectServed { try await folders() }
        for replica in [platform.dovecot, second] {
            #expect(try await introspect(token, at: replica) == true)
        }
        var begun = Date()
        try await revoke {
            begun = Date()
            _ = try await platform.hoster.post("/api/v1/auth/revocations", ["email": .string(alice.email)]).json(201)
        }
        return try await withThrowingTaskGroup(of: (String, Double).self) { [begun] group in
            func time(_ what: String, until isOver: @escaping @Sendable () async throws -> Bool) {
                group.addTask {
                    try await eventually(within: .seconds(8), "\(what) is over", isOver)
                    return (what, Date().timeIntervalSince(begun))
                }
            }
            time("first replica") { try await introspect(token, at: platform.dovecot) == false }
            time("second replica") { try await introspect(token, at: second) == false }
            time("WebSocket") { await stream.closeCode == 4401 }
            time("webmail") { try await folders().status == 401 }
            for (what, session) in held {
                group.addTask {
                    guard case .double(let ended) = try await session.next()["ended"] else { return (what, 99) }
                    return (what, ended - begun.timeIntervalSince1970)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    func introspect(_ token: String, at replica: Client) async throws -> Bool? {
        let answer = try await replica.postForm("/api/v1/auth/token/introspect", ["token": token]).json(200)
        return answer["active"] == true
    }

    private func report(_ title: String, _ timings: [(what: String, seconds: Double)]) {
        for (what, seconds) in timings.sorted(by: { $0.seconds < $1.seconds }) {
            print("\(title): \(what) ended after \(Int(seconds * 1000)) ms")
        }
    }

    @Test func oneRevocationEndsEverythingOnBothReplicasWithinASecond() async throws {
        let (process, second) = try await secondReplica()
        defer { process.terminate() }
        let timings = try await timingsOfARevocation(second: second) { try await $0() }
        report("revoked", timings)
        for (what, seconds) in timings { #expect(seconds < 1, "\(what): \(seconds) s") }
    }

    @Test func aRevocationIsNotLostWhenRedisIs() async throws {
        let (process, second) = try await secondReplica()
        defer { process.terminate() }
        let timings = try await timingsOfARevocation(second: second) { call in
            try stack.kill("redis")
            try await call()
            try await stack.up("redis")
        }
        report("revoked while Redis was away", timings)
        for (what, seconds) in timings { #expect(seconds < 6, "\(what): \(seconds) s") }
    }
}
