import Foundation
import TestSupport
import NIOHTTP1
import Testing

/// The address book and autocompletion through the gateway.
@Suite(.timeLimit(.minutes(3))) struct ContactTests {
    private static let path = "/api/v1/mail/contacts"

    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
    }

    private func add(_ name: String, _ emails: String..., to client: Client? = nil) async throws -> Int {
        let made = try await (client ?? alice.client).post(
            Self.path, ["name": .string(name), "emails": .array(emails.map(JSON.string))]
        ).json(201)
        return try #require(made["id"].int)
    }

    private func found(_ query: String, by client: Client? = nil, limit: Int = 10) async throws -> [String] {
        let answer = try await (client ?? alice.client).get(
            "\(Self.path)/autocomplete?q=\(escaped(query))&limit=\(limit)")
        return try answer.json(200)["items"].items.compactMap { $0["email"].string }
    }

    private func importCards(_ text: String, by client: Client? = nil) async throws -> Reply {
        try await (client ?? alice.client).send(
            .POST, "\(Self.path)/import", bytes: Data(text.utf8), type: "text/vcard")
    }

    // MARK: The address book

    @Test func oneIsMadeReadChangedAndDeleted() async throws {
        let made = try await alice.client.post(
            Self.path,
            [
                "name": "Ann Lee", "emails": ["Ann@X.test", "lee@x.test"], "phones": "+49 30 1",
                "organisation": "Lee & Sons", "note": "One\nTwo",
            ]
        ).json(201)
        #expect(made["emails"].strings == ["ann@x.test", "lee@x.test"] && made["phones"].strings == ["+49 30 1"])
        let path = "\(Self.path)/\(try #require(made["id"].int))"
        let read = try await alice.client.get(path)
        #expect(try read.json(200) == made)
        let tag = try #require(read.headers["etag"])
        #expect(try await alice.client.get(path, headers: [("If-None-Match", tag)]).status == 304)
        #expect(try await found("lee") == ["ann@x.test", "lee@x.test"])
        let changed = try await alice.client.put(path, ["name": "Ann", "emails": "ann@x.test"]).json(200)
        #expect(changed["note"] == "" && changed["emails"].strings == ["ann@x.test"])
        #expect(try await found("lee") == [])
        #expect(try await alice.client.get("\(Self.path)?q=ANN").json(200)["items"] == [changed])
        #expect(try await alice.client.get("\(Self.path)?q=zoe").json(200)["total"] == 0)
        #expect(try await alice.client.delete(path).status == 204)
        #expect(try await alice.client.get(path).status == 404)
        #expect(try await found("ann") == [])
    }

    @Test func anAddressStandsInOneEntry() async throws {
        _ = try await add("Ann", "ann@x.test")
        let other = try await add("Bob", "bob@x.test")
        for reply in [
            try await alice.client.post(Self.path, ["emails": ["new@x.test", "ANN@x.test"]]),
            try await alice.client.put("\(Self.path)/\(other)", ["emails": ["bob@x.test", "ann@x.test"]]),
        ] {
            #expect(reply.status == 409 && reply.code == "contact_exists" && reply.isCleanProblem)
            #expect(reply.json["detail"].string?.contains("ann@x.test") == true)
        }
        #expect(try await alice.client.get(Self.path).json(200)["total"] == 2)
    }

    @Test func whatIsWrongIsNamed() async throws {
        let many = JSON.array((0..<21).map { .string("a\($0)@x.test") })
        for (body, field): (JSON, String) in [
            (["name": "x"], "emails"), (["emails": []], "emails"), (["emails": many], "emails"),
            (["emails": ["a@x.test", "no address"]], "emails.1"), (["emails": ["a@x.test", "A@x.test"]], "emails.1"),
            (["emails": "a@x.test\r\nBCC: b@x.test"], "emails.0"),
            (["emails": "a@x.test", "name": "x\r\nEND:VCARD"], "name"),
            (["emails": "a@x.test", "organisation": "x\u{0}"], "organisation"),
            (["emails": "a@x.test", "phones": ["1", "\n"]], "phones.1"),
            (["emails": "a@x.test", "note": "x\u{8}"], "note"),
            (["emails": "a@x.test", "name": .string(String(repeating: "x", count: 201))], "name"),
            (["emails": "a@x.test", "email": "b@x.test"], "email"),
        ] {
            let reply = try await alice.client.post(Self.path, body)
            #expect(
                reply.status == 422 && reply.faultyFields == [field] && reply.isCleanProblem, "\(field) \(reply.text)")
        }
        for (query, field) in [
            ("/autocomplete", "q"), ("/autocomplete?q=a&limit=0", "limit"), ("/autocomplete?q=a&limit=51", "limit"),
            ("/autocomplete?q=a&limit=x", "limit"), ("/autocomplete?q=a%0Ab", "q"), ("?per_page=201", "per_page"),
            ("?q=\(String(repeating: "x", count: 201))", "q"),
        ] {
            let reply = try await alice.client.get(Self.path + query)
            #expect(
                reply.status == 422 && reply.faultyFields == [field] && reply.isCleanProblem, "\(query) \(reply.text)")
        }
    }

    @Test func anothersDoesNotExist() async throws {
        let bob = try await tenant.newMailbox(unique("bob"))
        let carol = try await platform.newTenant().newMailbox("carol")
        let id = try await add("Secret", "secret@x.test")
        for (who, client) in [
            ("a colleague", bob.client), ("a stranger", carol.client),
            ("the hoster in another mailbox", platform.hoster.reading(bob.email)),
        ] {
            for path in ["\(Self.path)/\(id)", "\(Self.path)/999999999", "\(Self.path)/x"] {
                for reply in [
                    try await client.get(path), try await client.put(path, ["emails": "x@x.test"]),
                    try await client.delete(path),
                ] { #expect(reply.status == 404 && reply.isCleanProblem, "\(who): \(reply.request) \(reply.text)") }
            }
            #expect(try await client.get(Self.path).json(200)["total"] == 0, "\(who)")
            #expect(try await client.get("\(Self.path)/export").text == "", "\(who)")
            #expect(try await found("secret", by: client) == [], "\(who)")
        }
        #expect(try await alice.client.get("\(Self.path)/\(id)").status == 200)
        let nobody = platform.hoster.reading("nobody@nowhere.test")
        for path in ["", "/export", "/autocomplete?q=a", "/\(id)"] {
            #expect(try await nobody.get(Self.path + path).status == 404, "\(path)")
        }
        #expect(try await nobody.post(Self.path, ["emails": "x@x.test"]).status == 404)
        #expect(try await importCards("BEGIN:VCARD\r\nEMAIL:a@x.test\r\nEND:VCARD", by: nobody).status == 404)
        #expect(try await platform.hoster.get(Self.path).status == 422)
    }

    // MARK: vCards

    @Test func whatIsExportedIsImported() async throws {
        let bob = try await tenant.newMailbox(unique("bob"))
        _ = try await alice.client.post(
            Self.path,
            [
                "name": "Jörg; \"Müller\", \\n", "emails": ["j@x.test", "m@x.test"], "phones": ["1", "2;3"],
                "organisation": "A,B;C", "note": "END:VCARD\nBEGIN:VCARD\nEMAIL:x@y.test\nEND:VCARD",
            ]
        ).json(201)
        for number in 0..<60 { _ = try await add("Number \(number)", "n\(number)@x.test") }
        let cards = try await alice.client.get("\(Self.path)/export")
        #expect(cards.status == 200 && cards.headers["content-type"]?.hasPrefix("text/vcard") == true)
        #expect(cards.text.components(separatedBy: "\r\nEND:VCARD\r\n").count == 62)
        let report = try await importCards(cards.text, by: bob.client).json(200)
        #expect(report["created"] == 61 && report["faults"] == [])
        func entries(_ client: Client) async throws -> [JSON] {
            try await client.get("\(Self.path)?per_page=200").json(200)["items"].items
                .map { $0.without("id", "created_at", "updated_at") }
        }
        let all = try await entries(bob.client)
        #expect(all.count == 61)
        #expect(try await entries(alice.client) == all)
    }

    @Test func tenThousandCardsAreImportedOnce() async throws {
        let cards = (0..<10_000).map { number in
            """
            BEGIN:VCARD\r
            VERSION:3.0\r
            FN:Person \(number)\r
            EMAIL;TYPE=INTERNET:\(number % 1000 == 7 ? "broken" : "p\(number)@many.test")\r
            EMAIL:second\(number)@many.test\r
            END:VCARD\r

            """
        }.joined()
        let report = try await importCards(cards).json(200)
        #expect(report["cards"] == 10_000 && report["created"] == 10_000 && report["faults_total"] == 10)
        #expect(report["faults"][0]["line"] == 46 && report["faults"][0]["code"] == "invalid_address")
        let again = try await importCards(cards).json(200)
        #expect(again["created"] == 0 && again["extended"] == 0 && again["unchanged"] == 10_000)
        #expect(try await alice.client.get("\(Self.path)?q=p99").json(200)["total"] == 111)
        #expect(try await found("pers p9999") == ["p9999@many.test"])
        #expect(try await found("p", limit: 50).count == 50)
    }

    @Test func whatIsNoFileOfCardsIsRefused() async throws {
        for text in ["", "hello", "{}"] {
            let reply = try await importCards(text)
            #expect(reply.status == 422 && reply.faultyFields == ["body"] && reply.isCleanProblem, "\(reply.text)")
        }
        let json = try await alice.client.post("\(Self.path)/import", ["a": 1])
        #expect(json.status == 415 && json.isCleanProblem)
        let many = String(repeating: "BEGIN:VCARD\nEND:VCARD\n", count: 20_001)
        #expect(try await importCards(many).status == 422)
        let huge = String(repeating: "x", count: (20 << 20) + 1)
        // The service hangs up on who goes on sending what it has refused.
        if let reply = try? await importCards(huge) { #expect(reply.status == 413) }
        #expect(try await alice.client.get(Self.path).json(200)["total"] == 0)
    }

    // MARK: Autocompletion

    @Test func knowsWhomOneWroteToAndHeardFrom() async throws {
        let bob = try await tenant.newMailbox(unique("bob"))
        for subject in ["One", "Two"] { #expect(try await alice.send(to: bob.email, subject: subject).status == 202) }
        _ = try await bob.arrival(of: "Two")
        _ = try await add("Bobby", "bobby@x.test")
        try await eventually(within: .seconds(15), "bob is known to alice") {
            try await found("bob") == [bob.email, "bobby@x.test"]
        }
        try await eventually(within: .seconds(15), "alice is known to bob") {
            try await found("ali", by: bob.client) == [alice.email]
        }
        #expect(try await found("ali") == [], "one is not known to oneself")
        #expect(
            try await alice.client.get(Self.path).json(200)["total"] == 1, "the address book is what was written there")
    }

    @Test func programsAreNotPeople() async throws {
        let robot = try await tenant.newMailbox("no-reply-" + unique("x"))
        let friend = try await tenant.newMailbox(unique("friend"))
        for sender in [robot, friend] {
            #expect(try await sender.send(to: alice.email, subject: sender.email).status == 202)
            _ = try await alice.arrival(of: sender.email)
        }
        try await eventually(within: .seconds(15), "the friend is known") {
            try await found("friend") == [friend.email]
        }
        #expect(try await found("no-reply") == [])
    }
}
