import Foundation
import TestSupport
import Testing

/// Addresses that lead to others, with mail over port 25.
@Suite(.timeLimit(.minutes(2))) struct AliasTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        bob = try await tenant.newMailbox("bob")
    }

    private var route: String { "/api/v1/mail/domains/\(tenant.domainID)/aliases" }

    private func create(_ source: String, _ destination: JSON, _ more: [String: JSON] = [:]) async throws -> Reply {
        let body: [String: JSON] = ["source": .string(source), "destination": destination]
        return try await platform.hoster.post(route, .object(body.merging(more) { $1 }))
    }

    private func deliver(_ subject: String, to localPart: String) async throws -> JSON {
        let sender = "friend@elsewhere.example", recipient = "\(localPart)@\(tenant.domain)"
        return try await platform.deliver(
            [plainMail(from: sender, to: recipient, subject: subject)], from: sender, to: recipient
        ).first ?? .null
    }

    @Test func oneAddressLeadsToMany() async throws {
        let made = try await create("team", [.string(alice.email), .string(bob.email), .string(alice.email)]).json(201)
        #expect(made["destination"] == [.string(alice.email), .string(bob.email)] && made["send_as"] == true)
        #expect(try await deliver("To the team", to: "team")["accepted"] == true)
        _ = try await alice.arrival(of: "To the team")
        _ = try await bob.arrival(of: "To the team")
        let path = "/api/v1/mail/aliases/\(made["id"].int ?? 0)"
        let changed = try await platform.hoster.put(path, ["destination": .string(bob.email)]).json(200)
        #expect(changed["destination"] == [.string(bob.email)])
        #expect(try await platform.hoster.get(path).json(200) == changed)
        #expect(try await deliver("To Bob", to: "team")["accepted"] == true)
        _ = try await bob.arrival(of: "To Bob")
        #expect(try await alice.subjects() == ["To the team"])
        #expect(try await platform.hoster.delete(path).status == 204)
        #expect(try await platform.hoster.get(path).status == 404)
        #expect(try await platform.hoster.delete(path).status == 404)
        #expect(try await deliver("To nobody", to: "team")["accepted"] == false)
        #expect(try await platform.hoster.get(route).json(200)["total"] == 0)
    }

    @Test func theCatchAllTakesWhatNobodyElseDoes() async throws {
        #expect(try await deliver("Too early", to: "anybody")["accepted"] == false)
        #expect(try await create("*", .string(alice.email)).status == 201)
        #expect(try await deliver("Caught", to: "anybody")["accepted"] == true)
        #expect(try await deliver("Bob's", to: "bob")["accepted"] == true)
        #expect(try await deliver("Bob's with extension", to: "bob+lists")["accepted"] == true)
        _ = try await alice.arrival(of: "Caught")
        _ = try await bob.arrival(of: "Bob's")
        _ = try await bob.arrival(of: "Bob's with extension")
        #expect(try await alice.subjects() == ["Caught"])
    }

    @Test func anExistingAliasIsNamed() async throws {
        let first = try await create("sales", .string(alice.email)).json(201)
        let again = try await create("Sales", .string(bob.email))
        #expect(again.status == 409 && again.code == "alias_exists", "\(again.text)")
        #expect(again.json["detail"].string?.contains("sales@\(tenant.domain) (id \(first["id"].int ?? 0))") == true)
        let mailbox = try await create("bob", .string(alice.email))
        #expect(mailbox.status == 409 && mailbox.json["detail"].string?.contains(bob.email) == true, "\(mailbox.text)")
        let account = try await platform.hoster.post(
            "/api/v1/mail/domains/\(tenant.domainID)/accounts", ["local_part": "sales", "password": "a good password"])
        #expect(account.status == 409 && account.code == "alias_exists", "\(account.text)")
    }

    @Test func loopsAreFoundWhereverTheyLead() async throws {
        let domain = tenant.domain
        #expect(try await create("a", .string("a@\(domain)")).status == 422)
        #expect(try await create("a", .string("b@\(domain)")).status == 201)
        #expect(try await create("b", .string("c@\(domain)")).status == 201)
        let loop = try await create("c", [.string(bob.email), .string("a@\(domain)")])
        #expect(loop.status == 422 && loop.faultyFields == ["destination"], "\(loop.text)")
        #expect(try await create("*", .string("nobody@\(domain)")).status == 422, "the catch-all catches itself")
        #expect(try await create("*", .string(alice.email)).status == 201)
        let id = try await create("d", .string(alice.email)).json(201)["id"].int ?? 0
        #expect(try await create("e", .string("d@\(domain)")).status == 201)
        let changed = try await platform.hoster.put(
            "/api/v1/mail/aliases/\(id)", ["destination": .string("e@\(domain)")])
        #expect(changed.status == 422, "\(changed.text)")
    }

    @Test func receivingAndSendingAreApart() async throws {
        #expect(try await create("info", .string(alice.email), ["send_as": false]).status == 201)
        let info = "info@\(tenant.domain)"
        #expect(try await deliver("Received", to: "info")["accepted"] == true)
        _ = try await alice.arrival(of: "Received")
        let refused = try await alice.submit(.password(alice.password), to: bob.email, from: info)
        #expect(refused["accepted"] == false && refused["code"] == 553, "\(refused)")
    }

    @Test(arguments: ["a b", "a@b", "a*", "a+b", "", "a\r\nb", "..", String(repeating: "a", count: 65)])
    func evilSourcesAreRefused(source: String) async throws {
        let reply = try await create(source, .string(alice.email))
        #expect(reply.status == 422 && reply.faultyFields == ["source"] && reply.isCleanProblem, "\(reply.text)")
    }
}
