import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Every route with every kind of caller, on what is theirs and on what is another customer's.
@Suite(.timeLimit(.minutes(2))) struct TenancyTests {
    /// What a route is about.
    struct Subject: Sendable {
        var domain = 999_999_999
        var account = 999_999_999
        var user = 999_999_999
        var customer = 999_999_999
        var signature = 999_999_999
        var contact = 999_999_999
        var alias = 999_999_999
        var serviceToken = 999_999_999
        var appPassword = 999_999_999
        var webhook = 999_999_999
        var outbox = 999_999_999
        var upload = 999_999_999
        var session = "nosuchsessionanywhere0"
        var email = "nobody@nowhere.test"
    }

    struct Route: Sendable, CustomStringConvertible {
        let method: HTTPMethod
        let path: @Sendable (Subject) -> String
        var body: (@Sendable (Subject) -> JSON)?
        /// Names its mailbox by `X-Mail-Account`.
        var isWebmail = false
        /// A member has no business here, not even with what is its own.
        var isForAdmins = true

        var description: String { "\(method) \(path(Subject()))" }

        func call(_ client: Client, _ subject: Subject) async throws -> Reply {
            try await client.reading(isWebmail ? subject.email : nil).send(method, path(subject), body?(subject))
        }
    }

    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let admin: Client
    let member: Client
    let own: Subject

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        admin = try await tenant.newUser("admin").client
        let user = try await tenant.newUser("member", accounts: [alice.email])
        member = user.client
        let alias = try await Self.alias(of: alice, tenant)
        own = Subject(
            domain: tenant.domainID, account: alice.id, user: user.id, customer: tenant.customerID,
            signature: try await Self.id(alice.client.post("/api/v1/mail/signatures", ["name": "x", "html": "x"])),
            contact: try await Self.id(alice.client.post("/api/v1/mail/contacts", ["emails": "a@x.test"])),
            alias: alias, email: alice.email)
        try #require(try await alice.send(to: alice.email, subject: "Mine").status == 202)
        _ = try await alice.arrival(of: "Mine")
    }

    private static func alias(of mailbox: Mailbox, _ tenant: Tenant) async throws -> Int {
        try await id(
            mailbox.platform.hoster.post(
                "/api/v1/mail/domains/\(tenant.domainID)/aliases",
                ["source": .string(unique("alias")), "destination": .string(mailbox.email)]))
    }

    private static func id(_ reply: Reply) throws -> Int { try #require(try reply.json(201)["id"].int) }

    @Test func whatIsTheirsIsServed() async throws {
        for route in Self.routes {
            for (who, client) in [("hoster", platform.hoster), ("admin", admin)] {
                let reply = try await route.call(client, own)
                #expect((200..<300).contains(reply.status), "\(who): \(route) \(reply.text)")
            }
            for (who, client) in [("member", member), ("mailbox", alice.client)] {
                let reply = try await route.call(client, own)
                if route.isForAdmins {
                    #expect(
                        [403, 404].contains(reply.status) && reply.isCleanProblem, "\(who): \(route) \(reply.text)")
                } else if route.isWebmail {
                    #expect((200..<300).contains(reply.status), "\(who): \(route) \(reply.text)")
                } else {
                    #expect([200, 403, 404].contains(reply.status), "\(who): \(route) \(reply.text)")
                }
            }
        }
    }

    @Test func whoHasNoGoodCredentialsIsServedNothing() async throws {
        let stack = platform.stack
        let unknown: [(String, Client.Credentials)] = [
            ("nobody", .none), ("garbage", .bearer("garbage")), ("a wrong service token", .serviceToken("xs_garbage")),
            ("an empty token", .bearer("")), ("a mail token", .bearer(try await alice.mailToken())),
            ("a service token as bearer", .bearer(stack.serviceToken)), ("a password", .basic("a:b")),
        ]
        for route in Self.routes + Self.upheavals {
            for (who, credentials) in unknown {
                let reply = try await route.call(platform.stranger.with(credentials), own)
                #expect(
                    reply.status == 401 && reply.headers["www-authenticate"] != nil && reply.isCleanProblem,
                    "\(who): \(route) \(reply.status) \(reply.text)")
            }
            let both = platform.stranger.with(.both(serviceToken: stack.serviceToken, bearer: alice.accessToken))
            let reply = try await route.call(both, own)
            #expect(reply.status == 400 && reply.code == "ambiguous_credentials", "\(route) \(reply.text)")
        }
    }

    @Test func whatIsAnothersDoesNotExist() async throws {
        let neighbour = try await platform.newTenant()
        let carol = try await neighbour.newMailbox("carol")
        let foreign = try await subject(of: carol, neighbour)
        for route in Self.routes + Self.upheavals {
            for (who, client) in [("admin", admin), ("member", member), ("mailbox", alice.client)] {
                let reply = try await route.call(client, foreign)
                let nothing = try await route.call(client, Subject())
                #expect([403, 404].contains(reply.status), "\(who): \(route) \(reply.text)")
                #expect(reply.status == nothing.status, "\(who): \(route) tells that it exists")
                #expect(
                    told(reply, of: foreign) == told(nothing, of: Subject()), "\(who): \(route) tells that it exists")
                #expect(reply.isCleanProblem, "\(who): \(route) \(reply.text)")
            }
        }
        let listed = try await admin.get("/api/v1/auth/app-passwords?email=\(carol.email)").json(200)
        #expect(listed["total"] == 0)
        try await expectUntouched(carol, neighbour, aliases: 1)
    }

    /// One's own mailbox opens nothing of another's.
    @Test func whatIsAnothersIsNotInOnesOwnMailbox() async throws {
        let neighbour = try await platform.newTenant()
        let carol = try await neighbour.newMailbox("carol")
        let foreign = try await subject(of: carol, neighbour)
        var mixed = foreign
        mixed.email = own.email
        for route in Self.routes + Self.upheavals
        where route.isWebmail && route.path(foreign) != route.path(Subject()) {
            for (who, client) in [("admin", admin), ("member", member), ("mailbox", alice.client)] {
                let reply = try await route.call(client, mixed)
                #expect(reply.status == 404 && reply.isCleanProblem, "\(who): \(route) \(reply.text)")
            }
        }
        for path in [
            "/api/v1/mail/signatures/\(foreign.signature)", "/api/v1/mail/contacts/\(foreign.contact)",
            "\(Mailbox.outboxPath)/\(foreign.outbox)", "\(Mailbox.uploadsPath)/\(foreign.upload)",
        ] { #expect(try await carol.client.get(path).status == 200, "\(path)") }
    }

    /// A mailbox with one of everything.
    private func subject(of mailbox: Mailbox, _ tenant: Tenant) async throws -> Subject {
        let client = mailbox.client
        let user = try await tenant.newUser("member", accounts: [mailbox.email])
        let token = try await platform.hoster.post(
            "/api/v1/service-tokens", ["name": .string(unique("token")), "scopes": ["mail:read"]])
        // Still to be sent when the test is over.
        let mail: JSON = [
            "to": [.string(mailbox.email)], "subject": "Later", "plain": "x",
            "send_at": .string(Date().addingTimeInterval(3600).formatted(.iso8601)),
        ]
        let sessions = try await client.get("/api/v1/auth/sessions").json(200)["items"]
        return Subject(
            domain: tenant.domainID, account: mailbox.id, user: user.id, customer: tenant.customerID,
            signature: try await Self.id(client.post("/api/v1/mail/signatures", ["name": "x", "html": "x"])),
            contact: try await Self.id(client.post("/api/v1/mail/contacts", ["emails": "a@x.test"])),
            alias: try await Self.alias(of: mailbox, tenant), serviceToken: try Self.id(token),
            appPassword: try #require(try await mailbox.appPassword()["id"].int),
            webhook: try await Self.id(client.post("/api/v1/mail/webhooks", ["url": "https://example.org/"])),
            outbox: try #require(try await mailbox.send(mail).json(202)["id"].int),
            upload: try await Self.id(mailbox.upload(Data("x".utf8), filename: "x.txt")),
            session: try #require(sessions[0]["id"].string), email: mailbox.email)
    }

    /// What a reply says, without what differs between any two requests.
    private func told(_ reply: Reply, of subject: Subject) -> String {
        let body = (try? String(decoding: reply.json.without("request_id").without("status").data, as: UTF8.self)) ?? ""
        return [
            subject.domain, subject.account, subject.user, subject.customer, subject.signature, subject.contact,
            subject.alias, subject.serviceToken, subject.appPassword, subject.webhook, subject.outbox, subject.upload,
        ].reduce(body) { text, id in
            // Whole numbers only: an id of one digit stands in every status too.
            guard let number = try? Regex("\\b\(id)\\b") else { return text }
            return text.replacing(number, with: "ID")
        }.replacing(subject.session, with: "ID").replacing(subject.email, with: "EMAIL")
    }

    private func expectUntouched(_ mailbox: Mailbox, _ tenant: Tenant, aliases: Int = 0) async throws {
        let account = try await platform.hoster.get(mailbox.accountRoute()).json(200)
        #expect(account["status"] == "active" && account["quota_mb"] == 64)
        #expect(try await mailbox.canLogInToIMAP(.password(mailbox.password)))
        #expect(try await mailbox.client.get("/api/v1/mail/webmail/folders").status == 200)
        let domain = try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)").json(200)
        #expect(domain["accounts"] == 1 && domain["aliases"].int == aliases && domain["status"] == "active")
        #expect(try await mailbox.messages()["total"] == 0)
    }

    @Test func listsHoldWhatIsTheirsAlone() async throws {
        let neighbour = try await platform.newTenant()
        for (who, client) in [("admin", admin), ("member", member), ("mailbox", alice.client)] {
            let domains = try await client.get("/api/v1/mail/domains?per_page=200")
            let named = domains.json["items"].items.compactMap { $0["domain"].string }
            #expect(Set(named).isSubset(of: [tenant.domain]), "\(who)")
            let foreign = try await client.get("/api/v1/mail/domains?customer_id=\(neighbour.customerID)")
            #expect(foreign.status >= 400 || foreign.json["items"] == [], "\(who)")
            let users = try await client.get("/api/v1/users?per_page=200")
            let customers = Set(users.json["items"].items.compactMap { $0["customer_id"].int })
            #expect(customers.isSubset(of: [tenant.customerID]), "\(who)")
        }
        #expect(try await admin.get("/api/v1/mail/domains").json(200)["total"] == 1)
        let accounts = try await admin.get("/api/v1/mail/domains/\(tenant.domainID)/accounts").json(200)
        #expect(accounts["items"].items.compactMap { $0["email"].string } == [alice.email])
    }

    @Test func anAdminGivesNobodyAMailboxOfAnother() async throws {
        let carol = try await platform.newTenant().newMailbox("carol")
        let reply = try await admin.post(
            "/api/v1/users",
            [
                "email": .string("\(unique("thief"))@people.test"), "password": "a good password", "role": "member",
                "accounts": [.string(carol.email)],
            ])
        #expect(reply.status == 422 && reply.faultyFields.first?.hasPrefix("accounts") == true, "\(reply.text)")
    }

    @Test func aServiceTokenDoesWhatItsScopesSay() async throws {
        let made = try await platform.hoster.post(
            "/api/v1/service-tokens", ["name": .string(unique("reader")), "scopes": ["mail:read"]]
        ).json(201)
        let id = try #require(made["id"].int), secret = try #require(made["token"].string)
        #expect(secret.hasPrefix("xs_"))
        let reader = platform.stranger.with(.serviceToken(secret))
        #expect(try await reader.get("/api/v1/mail/domains/\(tenant.domainID)").status == 200)
        #expect(try await reader.reading(alice.email).get("/api/v1/mail/webmail/folders").status == 200)
        for (path, body): (String, JSON) in [
            ("/api/v1/mail/domains", ["domain": "x.test", "customer_id": .int(tenant.customerID)]),
            ("/api/v1/mail/accounts/\(alice.id)/suspend", [:]), ("/api/v1/customers", ["name": "x"]),
            ("/api/v1/service-tokens", ["name": "x", "scopes": ["*"]]),
        ] {
            let reply = try await reader.post(path, body == [:] ? nil : body)
            #expect(reply.status == 403 && reply.isCleanProblem, "\(path) \(reply.text)")
        }
        let shown = try await platform.hoster.get("/api/v1/service-tokens?per_page=200")
        #expect(!shown.text.contains(secret), "shown once only")
        #expect(try await platform.hoster.delete("/api/v1/service-tokens/\(id)").status == 204)
        try await eventually(within: .seconds(7), "a deleted token counts no more") {
            try await reader.get("/api/v1/mail/domains/\(tenant.domainID)").status == 401
        }
    }

    @Test func aLimitedServiceTokenReachesItsDomainsAndMailboxesAlone() async throws {
        let neighbour = try await platform.newTenant()
        let carol = try await neighbour.newMailbox("carol")
        let foreign = Subject(
            domain: neighbour.domainID, account: carol.id, customer: neighbour.customerID, email: carol.email)
        let byDomain = try await limitedToken(["domains": [.string(tenant.domain)]])
        let byAddress = try await limitedToken(["addresses": [.string(alice.email)]])
        for route in Self.routes + Self.upheavals {
            for (who, client) in [("by domain", byDomain), ("by address", byAddress)] {
                let reply = try await route.call(client, foreign)
                #expect([403, 404].contains(reply.status) && reply.isCleanProblem, "\(who): \(route) \(reply.text)")
            }
        }
        try await expectUntouched(carol, neighbour)
        for route in Self.routes where !route.path(own).hasPrefix("/api/v1/users") {
            let reply = try await route.call(byDomain, own)
            #expect((200..<300).contains(reply.status), "\(route) \(reply.text)")
            if route.isWebmail {
                #expect((200..<300).contains(try await route.call(byAddress, own).status), "\(route)")
            }
        }
        for (path, body): (String, JSON) in [
            ("/api/v1/service-tokens", ["name": "x", "scopes": ["*"]]), ("/api/v1/customers", ["name": "x"]),
            ("/api/v1/mail/domains", ["domain": "x.test", "customer_id": .int(tenant.customerID)]),
            (
                "/api/v1/users",
                [
                    "customer_id": .int(tenant.customerID), "email": "x@people.test", "password": "a good password",
                    "role": "admin",
                ]
            ),
        ] { #expect(try await byDomain.post(path, body).status == 403, "\(path)") }
        for path in ["/api/v1/users", "/api/v1/customers", "/api/v1/service-tokens", "/api/v1/auth/audit"] {
            #expect(try await byDomain.get(path).status == 403, "\(path)")
        }
        let named = try await byDomain.get("/api/v1/mail/domains?per_page=200").json(200)["items"].items
        #expect(named.compactMap { $0["domain"].string } == [tenant.domain])
        let watched = try await byAddress.get("/api/v1/mail/watcher/status").json(200)["accounts"].items
        #expect(watched.allSatisfy { $0["account"].string == alice.email })
        let stream = "/api/v1/mail/events/stream?account=\(escaped(carol.email))"
        #expect(try await byDomain.get(stream).status == 404)
    }

    @Test func noAdminTakesAnAddressOfAnothersDomain() async throws {
        let neighbour = try await platform.newTenant()
        let admin = try await neighbour.newUser("admin")
        func make(_ email: String) async throws -> Reply {
            try await admin.client.post(
                "/api/v1/users", ["email": .string(email), "password": "a good password", "role": "member"])
        }
        let taken = try await make("boss@\(tenant.domain)")
        #expect(taken.status == 422 && taken.faultyFields == ["email"], "\(taken.text)")
        #expect(try await make("boss@\(neighbour.domain)").status == 201)
        #expect(try await make("\(unique("boss"))@elsewhere.test").status == 201)
        let path = "/api/v1/users/\(admin.id)"
        #expect(try await admin.client.patch(path, ["email": .string("x@\(tenant.domain)")]).status == 422)
    }

    private func limitedToken(_ limits: [String: JSON]) async throws -> Client {
        let draft: [String: JSON] = ["name": .string(unique("limited")), "scopes": ["*"]]
        let made = try await platform.hoster.post(
            "/api/v1/service-tokens", .object(draft.merging(limits) { first, _ in first })
        ).json(201)
        return platform.stranger.with(.serviceToken(made["token"].string ?? ""))
    }
}
