import Foundation
import Testing

/// What hangs is worse than what is dead: nobody gets an error until somebody's patience ends.
extension FaultTests {
    @Test func mariaDBHangs() async throws {
        let neverAsked = try await alice.mailToken()
        try await stack.freezing("mariadb") {
            // To Dovecot a database that hangs is one that is away.
            try await expectAway(within: .milliseconds(2500), [503]) { try await platform.introspect(neverAsked) }
            try await expectAway(within: .milliseconds(2500)) { try await logIn(alice) }
            try await expectAway(within: .milliseconds(3500)) { try await domains() }
            try await expectServed { try await folders() }
        }
        try await eventually(within: .seconds(4), "logins work again") { try await logIn(alice).status == 200 }
        try await eventually(within: .seconds(4), "lists work again") { try await domains().status == 200 }
    }

    @Test func redisHangs() async throws {
        try await stack.freezing("redis") {
            let begun = ContinuousClock.now
            try await expectServed { try await logIn(alice) }
            try await expectServed { try await folders() }
            try await expectServed { try await domains() }
            #expect(ContinuousClock.now - begun < .seconds(6))
        }
    }

    @Test func dovecotHangs() async throws {
        let carol = try await tenant.newMailbox("carol")
        try await stack.freezing("dovecot") {
            try await expectAway(within: .milliseconds(3500)) { try await folders() }
            try await expectAway(within: .milliseconds(3500)) {
                try await carol.client.get("/api/v1/mail/webmail/folders")
            }
            try await expectAway(within: .seconds(4), [504]) {
                try await platform.hoster.get(carol.accountRoute("/forwarding"))
            }
            try await expectServed { try await domains() }
        }
        try await eventually(within: .seconds(4), "folders are listed again") { try await folders().status == 200 }
    }

    @Test func postfixHangs() async throws {
        let subject = unique("Hanging")
        try await stack.freezing("postfix") {
            let begun = ContinuousClock.now
            let reply = try await alice.send(to: bob.email, subject: subject)
            #expect(reply.status == 202, "\(reply.text)")
            #expect(ContinuousClock.now - begun < .milliseconds(3500), "took \(ContinuousClock.now - begun)")
            try await expectServed { try await folders() }
        }
        try #require(try await alice.send(to: bob.email, subject: "Moving").status == 202)
        _ = try await bob.arrival(of: "Moving")
        _ = try await bob.arrival(of: subject)
        #expect(try await bob.subjects().count { $0 == subject } == 1)
    }

    @Test func powerDNSHangs() async throws {
        let name = unique("slow") + ".test"
        try await stack.freezing("powerdns") {
            let begun = ContinuousClock.now
            let made = try await platform.hoster.post(
                "/api/v1/mail/domains", ["domain": .string(name), "customer_id": .int(tenant.customerID)]
            ).json(201)
            #expect(made["dns"]["status"] == "pending" && ContinuousClock.now - begun < .milliseconds(3500))
        }
        try await eventually(within: .seconds(20), "the records are written by themselves") {
            try await platform.dig("MX", name).count == 1
        }
    }

    @Test func theAuthServerHangs() async throws {
        try await stack.freezing("auth-server") {
            try await expectServed { try await domains() }
            try await expectServed { try await folders() }
            #expect(try await alice.canLogInToIMAP(.password(alice.password)))
        }
        try await eventually(within: .seconds(3), "logins work again") { try await logIn(alice).status == 200 }
    }
}
