import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// `Idempotency-Key` on what creates, in every service.
@Suite(.timeLimit(.minutes(2))) struct IdempotencyTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    private func post(_ path: String, _ body: JSON, key: String, of mailbox: Mailbox? = nil) async throws -> Reply {
        try await (mailbox?.client ?? platform.hoster).send(.POST, path, body, headers: [("Idempotency-Key", key)])
    }

    @Test func theSameCallIsAnsweredTheSame() async throws {
        let user = try await tenant.newUser("member").id
        let calls: [(String, JSON)] = [
            ("/api/v1/customers", ["name": "Once"]), ("/api/v1/auth/revocations", ["user_id": .int(user)]),
            (
                "/api/v1/users",
                [
                    "customer_id": .int(tenant.customerID), "email": .string("\(unique("u"))@people.test"),
                    "password": "a long password", "role": "member",
                ]
            ),
            ("/api/v1/service-tokens", ["name": "Once", "scopes": ["mail:read"]]),
            (
                "/api/v1/mail/domains/\(tenant.domainID)/accounts",
                ["local_part": "once", "password": "a long password", "quota_mb": 10]
            ),
            (
                "/api/v1/mail/domains/\(tenant.domainID)/aliases",
                ["source": "alias", "destination": "a@elsewhere.example"]
            ),
            (
                "/api/v1/mail/domains",
                ["domain": .string(unique("once") + ".test"), "customer_id": .int(tenant.customerID)]
            ),
        ]
        for (path, body) in calls { try await isAnsweredTheSame(path, body) }
    }

    @Test func theSameCallOfAMailboxIsAnsweredTheSame() async throws {
        let alice = try await tenant.newMailbox("alice")
        let mail = plainMail(from: "friend@elsewhere.example", to: alice.email, subject: "One")
        #expect(try await alice.imap(.password(alice.password), ["append", "INBOX", .string(mail)])[1] == "OK")
        let webmail = "/api/v1/mail/webmail"
        try await isAnsweredTheSame("\(webmail)/folders", ["path": "Projects"], of: alice)
        try await isAnsweredTheSame("/api/v1/mail/signatures", ["name": "Mine", "html": "<p>A</p>"], of: alice)
        try await isAnsweredTheSame("/api/v1/mail/contacts", ["name": "Bob", "emails": ["bob@example.org"]], of: alice)
        try await isAnsweredTheSame(
            "\(webmail)/messages/INBOX/batch", ["uids": [1], "action": "copy", "target": "Projects"], of: alice)
        #expect(try await alice.messages("Projects")["total"] == 1)
    }

    private func isAnsweredTheSame(_ path: String, _ body: JSON, of mailbox: Mailbox? = nil) async throws {
        let key = unique("key")
        let first = try await post(path, body, key: key, of: mailbox)
        let second = try await post(path, body, key: key, of: mailbox)
        #expect([200, 201].contains(first.status), "\(path): \(first.text)")
        #expect(second.status == first.status && second.body == first.body, "\(path): \(second.text)")
        #expect(first.headers["idempotency-replayed"] == nil && second.headers["idempotency-replayed"] == "true")
        let other = try await post(path, body.with("x", 1), key: key, of: mailbox)
        #expect(other.status == 422 && other.code == "idempotency_key_reused", "\(path): \(other.text)")
    }

    @Test func whatFailedMayBeTriedAgain() async throws {
        let path = "/api/v1/mail/domains/\(tenant.domainID)/accounts", key = unique("key")
        let bad = try await post(path, ["local_part": "a b", "password": "a long password", "quota_mb": 10], key: key)
        #expect(bad.status == 422)
        let good = try await post(path, ["local_part": "ab", "password": "a long password", "quota_mb": 10], key: key)
        #expect(good.status == 201, "\(good.text)")
        #expect(try await post(path, ["local_part": "c"], key: String(repeating: "k", count: 256)).status == 422)
    }

    @Test func aKeyIsItsCallersOwn() async throws {
        let admin = try await tenant.newUser("admin").client, key = unique("key")
        let path = "/api/v1/mail/domains/\(tenant.domainID)/aliases"
        let body: JSON = ["source": "mine", "destination": "a@elsewhere.example"]
        #expect(try await post(path, body, key: key).status == 201)
        let theirs = try await admin.send(.POST, path, body, headers: [("Idempotency-Key", key)])
        #expect(theirs.status == 409 && theirs.code == "alias_exists", "\(theirs.text)")
    }
}
