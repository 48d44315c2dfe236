import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// What is wrong with a request is told clearly, in one shape, by every service.
@Suite(.timeLimit(.minutes(2))) struct BadInputTests {
    /// A call that takes JSON, with a body of the right shape.
    struct Call: Sendable {
        let path: String
        let body: [String: JSON]
        var method = HTTPMethod.POST
    }

    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let calls: [Call]
    let client: Client

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        client = platform.hoster.reading(alice.email)
        let password: JSON = "a good password"
        calls = [
            Call(path: "/api/v1/auth/login", body: ["email": .string(alice.email), "password": password]),
            Call(path: "/api/v1/auth/mail-token", body: ["email": .string(alice.email)]),
            Call(path: "/api/v1/customers", body: ["name": "Customer"]),
            Call(path: "/api/v1/users", body: ["email": "a@b.test", "password": password, "role": "member"]),
            Call(path: "/api/v1/service-tokens", body: ["name": "token", "scopes": ["mail:read"]]),
            Call(path: "/api/v1/mail/domains", body: ["domain": "x.test", "customer_id": .int(tenant.customerID)]),
            Call(
                path: "/api/v1/mail/domains/\(tenant.domainID)/accounts",
                body: ["local_part": "new", "password": password, "quota_mb": 10, "display_name": "New"]),
            Call(
                path: "/api/v1/mail/domains/\(tenant.domainID)/aliases",
                body: ["source": "sales", "destination": .string(alice.email)]),
            Call(path: alice.accountRoute(), body: ["password": password], method: .PUT),
            Call(path: alice.accountRoute(), body: ["quota_mb": 10], method: .PATCH),
            Call(path: alice.message("INBOX", 1) + "/flags", body: ["flags": ["\\Seen"], "mode": "add"]),
            Call(path: alice.message("INBOX", 1) + "/move", body: ["target": "Archive"]),
            Call(
                path: "/api/v1/mail/webmail/send",
                body: ["to": [.string(alice.email)], "subject": "Subject", "plain": "x", "html": "x"]),
        ]
    }

    private func expect(_ reply: Reply, _ statuses: Int..., field: String? = nil, why what: Comment = "") {
        #expect(statuses.contains(reply.status), "\(reply.request) \(what): \(reply.status) \(reply.text)")
        #expect(reply.isCleanProblem, "\(reply.request) \(what): \(reply.text)")
        if let field {
            let named = reply.faultyFields.contains { $0 == field || $0.hasPrefix(field + ".") }
            #expect(named, "\(reply.request) \(what) names \(field): \(reply.text)")
        }
    }

    @Test func whatIsNoJSONIs400() async throws {
        let lone = Data([0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x3A, 0x31, 0x7D])
        for call in calls {
            for text in ["{", "{\"a\":1,}", "{'a':1}", "nonsense", "{\"a\":1} {\"b\":2}"] {
                expect(
                    try await client.send(call.method, call.path, bytes: Data(text.utf8), type: "application/json"),
                    400, why: "'\(text)'")
            }
            expect(try await client.send(call.method, call.path, bytes: lone, type: "application/json"), 400, 422)
            let deep = Data(repeating: UInt8(ascii: "["), count: 200_000)
            expect(try await client.send(call.method, call.path, bytes: deep, type: "application/json"), 400, 422)
            expect(try await client.send(call.method, call.path, ["not an object"]), 400, 422)
        }
    }

    @Test func aWrongTypeNamesItsField() async throws {
        for call in calls {
            for field in call.body.keys {
                var body = call.body
                body[field] = ["nested": ["wrong": 1]]
                expect(
                    try await client.send(call.method, call.path, .object(body)), 422, field: field, why: "wrong type")
            }
        }
    }

    @Test func anUnknownFieldIsNamed() async throws {
        for call in calls {
            let body = call.body.merging(["surplus_field": 1]) { $1 }
            expect(
                try await client.send(call.method, call.path, .object(body)), 422, field: "surplus_field",
                why: "unknown field")
        }
        let nested: JSON = [
            "to": [.string(alice.email)], "subject": "x", "plain": "x",
            "attachments": [["filename": "a", "content_type": "text/plain", "content": "", "typo": 1]],
        ]
        expect(try await client.post("/api/v1/mail/webmail/send", nested), 422)
    }

    @Test func aMissingFieldIsNamed() async throws {
        let required: [String: [String]] = [
            "/api/v1/auth/login": ["email", "password"], "/api/v1/customers": ["name"],
            "/api/v1/users": ["email", "password", "role"], "/api/v1/mail/domains": ["domain"],
            "/api/v1/mail/domains/\(tenant.domainID)/accounts": ["local_part", "password"],
            "/api/v1/mail/domains/\(tenant.domainID)/aliases": ["source", "destination"],
            alice.message("INBOX", 1) + "/flags": ["flags"], alice.message("INBOX", 1) + "/move": ["target"],
            "/api/v1/mail/webmail/send": ["to"],
        ]
        for call in calls {
            for field in required[call.path] ?? [] {
                var body = call.body
                body[field] = nil
                expect(try await client.send(call.method, call.path, .object(body)), 422, field: field, why: "missing")
            }
        }
    }

    @Test func valuesOutOfBoundsNameTheirField() async throws {
        let accounts = "/api/v1/mail/domains/\(tenant.domainID)/accounts"
        for (field, value): (String, JSON) in [
            ("local_part", ""), ("local_part", "a b"), ("local_part", "a@b"), ("local_part", "../../etc"),
            ("local_part", "a/b"), ("local_part", "a\r\nb"), ("local_part", "a\u{0}b"), ("local_part", ".."),
            ("local_part", .string(String(repeating: "x", count: 65))), ("password", "short"),
            ("password", .string(String(repeating: "x", count: 1025))), ("quota_mb", 0), ("quota_mb", -1),
            ("quota_mb", 1.5), ("quota_mb", 99_999_999_999),
            ("display_name", .string(String(repeating: "x", count: 201))),
        ] {
            let body = ["local_part": "fine", "password": "a good password"].merging([field: value]) { $1 }
            expect(try await client.post(accounts, .object(body)), 422, field: field, why: "\(value)")
        }
        let users: [String: JSON] = [
            "customer_id": .int(tenant.customerID), "email": "a@b.test", "password": "a good password",
            "role": "member",
        ]
        for (field, value): (String, JSON) in [("role", "root"), ("email", "no address"), ("password", "x")] {
            expect(
                try await client.post("/api/v1/users", .object(users.merging([field: value]) { $1 })), 422,
                field: field)
        }
    }

    @Test func tooMuchIs413AndAnotherTypeIs415() async throws {
        let padding = JSON.string(String(repeating: "x", count: 2 << 20))
        for call in calls where !call.path.hasSuffix("/send") {
            let body = call.body.merging(["padding": padding]) { $1 }
            expect(try await client.send(call.method, call.path, .object(body)), 413)
        }
        for call in calls {
            let bytes = try JSON.object(call.body).data
            for type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
                expect(try await client.send(call.method, call.path, bytes: bytes, type: type), 415, why: "\(type)")
            }
        }
    }

    @Test(arguments: [
        "page=0", "page=-1", "page=x", "page=", "page=99999999999999999999", "per_page=0", "per_page=201",
        "per_page=1.5",
    ])
    func aBadPageNamesItsParameter(query: String) async throws {
        let field = query.prefix { $0 != "=" }
        for path in [
            "/api/v1/mail/domains", "/api/v1/mail/domains/\(tenant.domainID)/accounts", "/api/v1/customers",
            "/api/v1/users", "/api/v1/mail/webmail/messages/INBOX",
        ] { expect(try await client.get("\(path)?\(query)"), 422, field: String(field), why: "\(query)") }
    }

    @Test func whatIsNotThereIs404AndTheWrongMethod405() async throws {
        for path in [
            "/api/v1/auth/nothing", "/api/v1/mail/nothing", "/api/v1/mail/webmail/nothing",
            "/api/v1/mail/events/nothing/here", "/api/v1/mail/domains/999999999", "/api/v1/mail/accounts/999999999",
            "/api/v1/users/999999999", "/api/v1/customers/999999999", "/api/v1/mail/webmail/messages/Nowhere",
            "/api/v1/mail/webmail/messages/INBOX/4000000000",
        ] { expect(try await client.get(path), 404) }
        for (method, path): (HTTPMethod, String) in [
            (.DELETE, "/api/v1/auth/login"), (.PATCH, "/api/v1/mail/domains"), (.PUT, "/api/v1/mail/webmail/folders"),
            (.POST, "/api/v1/mail/watcher/status"), (.GET, "/api/v1/mail/webmail/send"),
        ] {
            let reply = try await client.send(method, path)
            expect(reply, 405)
            #expect(reply.headers["allow"]?.isEmpty == false, "\(path)")
        }
        for id in ["abc", "0", "-1", "1.0", "99999999999999999999", "%00", "1%20OR%201=1"] {
            expect(try await client.get("/api/v1/mail/domains/\(id)"), 404, 422, why: "\(id)")
            expect(try await client.get("/api/v1/mail/webmail/messages/INBOX/\(id)"), 404, 422, why: "\(id)")
        }
    }

    @Test func aTrailingSlashIsIgnored() async throws {
        for path in [
            "/api/v1/mail/domains/", "/api/v1/mail/webmail/folders/", "/api/v1/customers/",
            "/api/v1/mail/watcher/status/", "/api/v1/mail/domains/\(tenant.domainID)/",
        ] { #expect(try await client.get(path).status == 200, "\(path)") }
        #expect(try await client.post("/api/v1/customers/", ["name": .string(unique("Slash"))]).status == 201)
    }

    @Test func theRequestIDIsReturnedIfItIsSane() async throws {
        for path in [
            "/api/v1/auth/login", "/api/v1/mail/domains", "/api/v1/mail/webmail/folders", "/api/v1/mail/watcher/status",
        ] {
            let id = unique("request")
            let reply = try await client.get(path, headers: [("X-Request-ID", id)])
            #expect(reply.headers["x-request-id"] == id, "\(path)")
            if reply.status >= 400 { #expect(reply.json["request_id"].string == id) }
            let none = try await client.get(path).headers["x-request-id"]
            #expect(none?.isEmpty == false, "\(path)")
            for insane in [String(repeating: "x", count: 1000), "a b\"c", "<script>"] {
                let echoed = try await client.get(path, headers: [("X-Request-ID", insane)]).headers["x-request-id"]
                #expect(echoed?.isEmpty == false && echoed != insane, "\(path)")
            }
        }
    }

    @Test func namesCannotBecomeCommands() async throws {
        let evil = [
            "INBOX\r\nA1 LOGOUT", "INBOX\" \"x", "INBOX\u{0}", "{5+}\r\nINBOX", "../../../etc/passwd", "*", "%", "&&&",
            "~root",
        ]
        for name in evil {
            expect(
                try await client.get("/api/v1/mail/webmail/messages/\(escaped(name))"), 404, 422,
                why: "\(name.debugDescription)")
        }
        let flag = try await client.post(
            alice.message("INBOX", 1) + "/flags", ["flags": ["\\Seen) DELETED\r\nA1 LOGOUT"]])
        expect(flag, 404, 422)
        #expect(try await client.get("/api/v1/mail/webmail/messages/INBOX").status == 200)
    }

    @Test func headersCannotBeSmuggledIntoAMail() async throws {
        let bob = try await tenant.newMailbox("bob")
        let subject = unique("Injected")
        for (field, value): (String, JSON) in [
            ("subject", .string("\(subject)\r\nBcc: \(bob.email)")),
            ("in_reply_to", .string("<a@b.test>\r\nBcc: \(bob.email)")),
            ("to", [.string("\(alice.email)>\r\nRCPT TO:<\(bob.email)")]),
        ] {
            var mail: [String: JSON] = [
                "to": [.string(alice.email)], "subject": .string(subject),
                "plain": "line\n.\nQUIT\r\n.\r\nMAIL FROM:<x>",
            ]
            mail[field] = value
            let reply = try await alice.client.post("/api/v1/mail/webmail/send", .object(mail))
            #expect([202, 422].contains(reply.status), "\(field): \(reply.text)")
        }
        // A mail sent after them has arrived when they would have.
        try #require(try await alice.send(to: bob.email, subject: "Last").status == 202)
        _ = try await bob.arrival(of: "Last")
        #expect(try await bob.subjects() == ["Last"])
    }
}
