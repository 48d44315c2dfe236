import Foundation
import TestSupport
import Testing

/// Second copies of one sending end at delivery; nothing else does.
@Suite(.timeLimit(.minutes(2))) struct CopyTests {
    let platform: Platform
    let tenant: Tenant
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        bob = try await tenant.newMailbox(unique("bob"))
    }

    private func mail(_ subject: String, id: String?, size: Int = 0) -> String {
        let mark = id.map { "X-Xynap-Outbox-ID: \($0)\r\n" } ?? ""
        let filler = String(repeating: String(repeating: "x", count: 70) + "\r\n", count: size / 72)
        return "\(mark)From: a@b.test\r\nMessage-ID: <1@b.test>\r\nSubject: \(subject)\r\n\r\n\(filler)Hello\r\n"
    }

    private func deliver(_ messages: String..., from sender: String = "alice@b.test") async throws -> [JSON] {
        try await Outside(
            script: "delivery.py",
            [
                "host": .string(platform.stack.imapHost), "port": .int(platform.stack.lmtpPort),
                "from": .string(sender), "to": .string(bob.email), "messages": .array(messages.map(JSON.string)),
            ]
        ).results()
    }

    @Test func theSecondCopyIsDropped() async throws {
        let id = unique("id")
        let outcomes = try await deliver(mail("First", id: id), mail("Copy", id: id), mail("Other", id: id + "2"))
        #expect(outcomes.allSatisfy { $0["accepted"] == true })
        #expect(try await bob.subjects().sorted() == ["First", "Other"])
    }

    @Test func nobodyElseCanUseUpAnID() async throws {
        let id = unique("id")
        _ = try await deliver(mail("Forged", id: id), from: "mallory@elsewhere.example")
        _ = try await deliver(mail("Bounced", id: id), from: "")
        _ = try await deliver(mail("Real", id: id))
        // The same message id is no reason.
        _ = try await deliver(mail("Plain", id: nil), mail("Plain", id: nil))
        #expect(try await bob.subjects().sorted() == ["Bounced", "Forged", "Plain", "Plain", "Real"])
    }

    @Test func whatDidNotFitIsNoFirstCopy() async throws {
        let id = unique("id")
        let quota = { (megabytes: Int) in
            try await platform.hoster.patch(bob.accountRoute(), ["quota_mb": .int(megabytes)]).json(200)
        }
        _ = try await quota(1)
        let refused = try await deliver(mail("Large", id: id, size: 3 << 20))
        #expect(refused[0]["accepted"] == false)
        _ = try await quota(64)
        try await eventually(within: .seconds(10), "it fits") {
            try await deliver(mail("Large", id: id, size: 3 << 20))[0]["accepted"] == true
        }
        #expect(try await bob.subjects() == ["Large"])
        _ = try await deliver(mail("Large", id: id, size: 3 << 20))
        #expect(try await bob.subjects() == ["Large"])
    }
}
