import Foundation
import TestSupport
import Testing

/// One process after the other dies (`kill -9`) or hangs (`SIGSTOP`): what needs it says so clearly and soon, the rest
/// goes on, and `stack up` mends it without a mail, an account or an event lost.
@Suite(.serialized, .onItsOwnStack, .timeLimit(.minutes(SendFaults.sends > 200 ? 30 : 3))) struct FaultTests {
    let stack: OwnStack
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let bob: Mailbox

    init() async throws {
        stack = try #require(OwnStack.current)
        platform = stack.platform
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        bob = try await tenant.newMailbox("bob")
        // What the test before has killed may take a while until it is itself again.
        for mailbox in [alice, bob] {
            try await eventually(within: .seconds(90), "\(mailbox.email) can be read") {
                try await mailbox.client.get("/api/v1/mail/webmail/messages/INBOX").status == 200
            }
        }
    }

    /// The answer of something that needs what is away: a clear problem within `limit`.
    func expectAway(
        within limit: Duration, _ statuses: Set<Int> = [503, 504], sourceLocation: SourceLocation = #_sourceLocation,
        _ call: () async throws -> Reply
    ) async throws {
        let begun = ContinuousClock.now
        let reply = try await call()
        let lasted = ContinuousClock.now - begun
        #expect(
            statuses.contains(reply.status), "\(reply.request): \(reply.status) \(reply.text)",
            sourceLocation: sourceLocation)
        #expect(lasted < limit, "\(reply.request) took \(lasted)", sourceLocation: sourceLocation)
        #expect(reply.isCleanProblem, "\(reply.text)", sourceLocation: sourceLocation)
        if reply.status == 503 {
            #expect(reply.headers["retry-after"] != nil, "\(reply.request)", sourceLocation: sourceLocation)
        }
    }

    func expectServed(
        _ status: Int = 200, sourceLocation: SourceLocation = #_sourceLocation, _ call: () async throws -> Reply
    ) async throws {
        let reply = try await call()
        #expect(reply.status == status, "\(reply.request): \(reply.text)", sourceLocation: sourceLocation)
    }

    func logIn(_ mailbox: Mailbox) async throws -> Reply { try await platform.logIn(mailbox.email, mailbox.password) }

    func folders() async throws -> Reply { try await alice.client.get("/api/v1/mail/webmail/folders") }

    func messages(_ folder: String) async throws -> Reply {
        try await alice.client.get("/api/v1/mail/webmail/messages/\(folder)")
    }

    func domains() async throws -> Reply { try await platform.hoster.get("/api/v1/mail/domains") }

    /// A mail from outside that our server answered with 250.
    func deliver(_ subject: String, to mailbox: Mailbox) async throws -> JSON {
        let sender = "friend@elsewhere.example"
        return try await platform.deliver(
            [plainMail(from: sender, to: mailbox.email, subject: subject)], from: sender, to: mailbox.email
        ).first ?? .null
    }

    @Test func withoutMariaDB() async throws {
        let token = try await alice.mailToken()
        #expect(try await platform.introspect(token).json(200)["active"] == true)
        // Of a mailbox that nobody has asked for: what is known of one counts for a minute.
        let neverAsked = try await tenant.newMailbox("carol").mailToken()
        try await expectServed { try await messages("INBOX") }
        try stack.kill("mariadb")
        try await expectAway(within: .seconds(3), [503]) { try await platform.introspect(neverAsked) }
        try await expectAway(within: .seconds(3)) { try await logIn(alice) }
        try await expectAway(within: .milliseconds(500)) { try await logIn(alice) }
        try await expectAway(within: .seconds(3)) { try await domains() }
        try await expectAway(within: .milliseconds(500)) { try await domains() }
        let unknown = try await platform.introspect("unknown")
        #expect(unknown.json["active"] != true)
        #expect(try await platform.introspect(token).json(200)["active"] == true, "answered from the cache")
        try await expectServed { try await folders() }
        // Of a folder that no session has selected.
        try await expectServed { try await messages("Sent") }
        try await stack.up()
        try await eventually(within: .seconds(2), "logins work again") { try await logIn(alice).status == 200 }
        try await eventually(within: .seconds(2), "lists work again") { try await domains().status == 200 }
        #expect(try await alice.canLogInToIMAP(.password(alice.password)))
    }

    @Test func withoutRedis() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try stack.kill("redis")
        try await expectServed { try await logIn(alice) }
        try await expectServed { try await folders() }
        try await expectServed { try await domains() }
        #expect(try await deliver("Without Redis", to: bob)["accepted"] == true)
        _ = try await stream.first(within: .seconds(10), "the event, or the word to list again") {
            $0["type"] == "mail.resync" || $0["data"]["message"]["subject"] == "Without Redis"
        }
        try await expectServed { try await platform.hoster.post(alice.accountRoute("/suspend")) }
        try await eventually(within: .seconds(6), "the suspension is found in MariaDB") {
            try await folders().status == 401
        }
        try await stack.up()
        #expect(try await deliver("With Redis", to: bob)["accepted"] == true)
        _ = try await stream.newMessage(subject: "With Redis")
        #expect(await stream.newMessages(subject: "Without Redis").count <= 1)
        await stream.close()
    }

    @Test func withoutPowerDNS() async throws {
        try stack.kill("powerdns")
        let name = unique("later") + ".test"
        let begun = ContinuousClock.now
        let made = try await platform.hoster.post(
            "/api/v1/mail/domains", ["domain": .string(name), "customer_id": .int(tenant.customerID)]
        ).json(201)
        #expect(made["dns"]["status"] == "pending" && ContinuousClock.now - begun < .seconds(4))
        try await expectServed { try await folders() }
        // What was left to do survives the one who was to do it.
        try stack.kill("admin-api")
        try await stack.up()
        try await eventually(within: .seconds(20), "the records are written by themselves") {
            try await platform.dig("MX", name).count == 1
        }
        try await eventually(within: .seconds(5), "the domain says so") {
            try await platform.hoster.get("/api/v1/mail/domains/\(made["id"].int ?? 0)").json(200)["dns"]["status"]
                == "ok"
        }
    }

    @Test func withoutRspamd() async throws {
        try stack.killWithChildren("rspamd")
        let answer = try await alice.send(to: bob.email, subject: "Unscanned").json(202)
        #expect(answer["state"] == "queued")
        let toTwo: JSON = [
            "to": [.string(bob.email), .string("nobody-\(bob.email)")], "subject": "For one of two", "plain": "Hello",
        ]
        #expect(try await alice.send(toTwo, key: unique("key")).json(202)["state"] == "queued")
        #expect(try await deliver("Refused for now", to: bob)["accepted"] == false)
        try await expectServed { try await folders() }
        try await stack.up()
        try #require(try await alice.send(to: bob.email, subject: "Scanned").status == 202)
        _ = try await bob.arrival(of: "Scanned")
        _ = try await bob.arrival(of: "Unscanned", within: .seconds(40))
        _ = try await bob.arrival(of: "For one of two", within: .seconds(40))
        #expect(try await bob.subjects().sorted() == ["For one of two", "Scanned", "Unscanned"])
    }

    @Test func withoutDovecot() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        try stack.killWithChildren("dovecot")
        try await expectAway(within: .seconds(4)) { try await folders() }
        try await expectAway(within: .seconds(4)) { try await folders() }
        try await expectServed { try await logIn(alice) }
        try await expectServed { try await domains() }
        let accepted = try await deliver("While Dovecot is away", to: bob)
        try await stack.up()
        try await eventually(within: .seconds(3), "folders are listed again") { try await folders().status == 200 }
        if accepted["accepted"] == true {
            try await stack.flushQueue()
            _ = try await stream.newMessage(subject: "While Dovecot is away", within: .seconds(20))
        }
        #expect(try await deliver("With Dovecot", to: bob)["accepted"] == true)
        _ = try await stream.newMessage(subject: "With Dovecot", within: .seconds(20))
        #expect(await stream.newMessages(subject: "While Dovecot is away").count <= 1)
        await stream.close()
    }

    @Test func withoutPostfix() async throws {
        try stack.kill("postfix")
        try #require(try await alice.send(to: bob.email, subject: "Waiting").status == 202)
        try await expectServed { try await folders() }
        try await stack.up()
        try #require(try await alice.send(to: bob.email, subject: "Moving").status == 202)
        _ = try await bob.arrival(of: "Moving")
        _ = try await bob.arrival(of: "Waiting")
    }

    @Test func withoutTheGateway() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        #expect(try await deliver("Heard", to: bob)["accepted"] == true)
        let last = try #require(try await stream.newMessage(subject: "Heard")["id"].string)
        try stack.kill("traefik")
        #expect(try await deliver("Unheard", to: bob)["accepted"] == true)
        let inside = Client(base: platform.stack.webmailURL, credentials: bob.client.credentials)
        try await expectServed { try await inside.get("/api/v1/mail/webmail/folders") }
        try await stack.up()
        let resumed = try await EventStream(bob.client, query: "?since=\(last)")
        _ = try await resumed.newMessage(subject: "Unheard")
        #expect(await resumed.newMessages(subject: "Heard").isEmpty)
        await resumed.close()
    }

    @Test func withoutTheAuthServer() async throws {
        try stack.kill("auth-server")
        let refused = try await logIn(alice)
        #expect([502, 503, 504].contains(refused.status))
        try await expectServed { try await folders() }
        try await expectServed { try await domains() }
        #expect(try await alice.canLogInToIMAP(.password(alice.password)), "passwords are Dovecot's own matter")
        let outcome = try await alice.imap(.xoauth2(alice.accessToken))[0]
        #expect(outcome["authenticated"] == false)
        #expect(
            outcome["refusal"].string?.contains("AUTHENTICATIONFAILED") == false, "not the token's fault: \(outcome)")
        try await stack.up()
        try await eventually(within: .seconds(3), "logins work again") { try await logIn(alice).status == 200 }
        #expect(try await alice.canLogInToIMAP(.xoauth2(alice.mailToken())))
    }

    @Test func withoutTheAdminAPI() async throws {
        let kept = try await tenant.newMailbox("kept")
        try stack.kill("admin-api")
        #expect([502, 503, 504].contains(try await domains().status))
        try await expectServed { try await logIn(alice) }
        try await expectServed { try await folders() }
        try await stack.up()
        try await eventually(within: .seconds(3), "domains are listed again") { try await domains().status == 200 }
        try await expectServed { try await logIn(kept) }
    }

    @Test func withoutTheWebmailProxy() async throws {
        try #require(try await alice.send(to: bob.email, subject: "Taken").status == 202)
        try stack.kill("webmail-proxy")
        #expect([502, 503, 504].contains(try await folders().status))
        try await expectServed { try await logIn(alice) }
        try await expectServed { try await domains() }
        try await stack.up()
        try await eventually(within: .seconds(3), "folders are listed again") { try await folders().status == 200 }
        _ = try await bob.arrival(of: "Taken")
        _ = try await alice.arrival(of: "Taken", in: "Sent")
        #expect(try await bob.subjects() == ["Taken"])
    }

    @Test func withoutTheWatcher() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        #expect(try await deliver("Before", to: bob)["accepted"] == true)
        let last = try #require(try await stream.newMessage(subject: "Before")["id"].string)
        try stack.kill("mail-watcher")
        try await eventually(within: .seconds(2), "the WebSocket ends") { await stream.closeCode != nil }
        #expect(try await deliver("Unwatched", to: bob)["accepted"] == true)
        try await expectServed { try await folders() }
        try await stack.up()
        let resumed = try await EventStream(bob.client, query: "?since=\(last)")
        _ = try await resumed.newMessage(subject: "Unwatched")
        #expect(await resumed.newMessages(subject: "Unwatched").count == 1)
        await resumed.close()
    }
}
