import Foundation
import Testing

/// What people's own mail programs do: IMAP and SMTP with a mail token or a password, on every port.
@Suite(.timeLimit(.minutes(2))) struct MailClientTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    @Test(arguments: [Mailbox.IMAPPort.plain, .tls])
    func theOrderedExampleWorksWordForWord(port: Mailbox.IMAPPort) async throws {
        let alice = try await tenant.newMailbox("alice")
        let task = alice.login(.xoauth2(try await alice.mailToken()), port: port)
        #expect(try await Outside(script: "seed_example.py", task).results() == [["state": "SELECTED", "sasl": true]])
    }

    @Test(arguments: Mailbox.IMAPPort.allCases)
    func threeWaysIntoIMAPSideBySide(port: Mailbox.IMAPPort) async throws {
        let alice = try await tenant.newMailbox("alice")
        let token = try await alice.mailToken()
        for proof in [Mailbox.Proof.xoauth2(token), .oauthBearer(token), .password(alice.password)] {
            let outcome = try await alice.imap(proof, port: port)[0]
            #expect(outcome == ["authenticated": true], "\(proof.mechanism)")
        }
        for proof in [Mailbox.Proof.xoauth2("garbage"), .oauthBearer("garbage"), .password("garbage")] {
            let outcome = try await alice.imap(proof, port: port)[0]
            #expect(outcome["authenticated"] == false, "\(proof.mechanism)")
        }
    }

    @Test(arguments: Mailbox.SMTPPort.allCases)
    func threeWaysIntoSMTPSideBySide(port: Mailbox.SMTPPort) async throws {
        let alice = try await tenant.newMailbox("alice"), bob = try await tenant.newMailbox("bob")
        let token = try await alice.mailToken()
        for proof in [Mailbox.Proof.xoauth2(token), .oauthBearer(token), .password(alice.password)] {
            let outcome = try await alice.submit(proof, port: port, to: bob.email)
            #expect(outcome["accepted"] == true, "\(proof.mechanism) \(outcome)")
        }
        let refused = try await alice.submit(.xoauth2("garbage"), port: port, to: bob.email)
        #expect(refused["accepted"] == false && refused["stage"] == "login", "\(refused)")
        try await eventually(within: .seconds(10), "the three mails arrive") { try await bob.messages()["total"] == 3 }
    }

    @Test func nobodySendsInAnothersName() async throws {
        let alice = try await tenant.newMailbox("alice"), bob = try await tenant.newMailbox("bob")
        let outcome = try await alice.submit(.password(alice.password), to: bob.email, from: bob.email)
        #expect(outcome["accepted"] == false && outcome["code"] == 553, "\(outcome)")
        let forged = plainMail(from: bob.email, to: alice.email, subject: "Forged")
        let unauthenticated = try await platform.deliver([forged], from: bob.email, to: alice.email)[0]
        #expect(unauthenticated["accepted"] == false, "\(unauthenticated)")
    }

    @Test func aTokenOpensItsOwnMailboxAlone() async throws {
        let alice = try await tenant.newMailbox("alice"), bob = try await tenant.newMailbox("bob")
        let token = try await alice.mailToken()
        #expect(try await bob.canLogInToIMAP(.xoauth2(token)) == false)
        #expect(try await bob.submit(.xoauth2(token), to: alice.email)["stage"] == "login")
    }

    @Test func anAccessTokenOpensNoMailboxAndAMailTokenNoEndpoint() async throws {
        let alice = try await tenant.newMailbox("alice")
        #expect(try await alice.canLogInToIMAP(.xoauth2(alice.accessToken)) == false)
        #expect(try await alice.canLogInToIMAP(.oauthBearer(alice.accessToken)) == false)
        #expect(try await alice.submit(.xoauth2(alice.accessToken), to: alice.email)["stage"] == "login")
        let impostor = platform.stranger.with(.bearer(try await alice.mailToken()))
        for path in [
            "/api/v1/mail/webmail/folders", "/api/v1/mail/domains", "/api/v1/users", "/api/v1/mail/watcher/status",
        ] {
            let reply = try await impostor.get(path)
            #expect(reply.status == 401 && reply.headers["www-authenticate"] != nil, "\(path) \(reply.text)")
        }
    }

    @Test func anAliasAndTheCatchAllDeliver() async throws {
        let alice = try await tenant.newMailbox("alice"), bob = try await tenant.newMailbox("bob")
        let aliases = "/api/v1/mail/domains/\(tenant.domainID)/aliases"
        _ = try await platform.hoster.post(
            aliases, ["source": "sales", "destination": [.string(alice.email), .string(bob.email)]]
        ).json(201)
        _ = try await platform.hoster.post(aliases, ["source": "*", "destination": .string(bob.email)]).json(201)
        let sender = "customer@elsewhere.example"
        for (address, subject) in [("sales", "To sales"), ("anything", "To anything"), ("alice", "To alice")] {
            let recipient = "\(address)@\(tenant.domain)"
            let outcome = try await platform.deliver(
                [plainMail(from: sender, to: recipient, subject: subject)], from: sender, to: recipient)[0]
            #expect(outcome["accepted"] == true, "\(recipient) \(outcome)")
        }
        _ = try await alice.arrival(of: "To alice")
        _ = try await bob.arrival(of: "To anything")
        _ = try await bob.arrival(of: "To sales")
        _ = try await alice.arrival(of: "To sales")
        #expect(try await Set(bob.subjects()) == ["To sales", "To anything"])
        #expect(try await Set(alice.subjects()) == ["To sales", "To alice"])
    }
}
