import TestSupport
import NIOHTTP1
import Testing

/// Signatures through the gateway: kept, matched, safe, and nobody else's.
@Suite(.timeLimit(.minutes(2))) struct SignatureTests {
    private static let path = "/api/v1/mail/signatures"

    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
    }

    private func make(
        _ name: String, default isDefault: Bool = false, rules: JSON = [], by client: Client? = nil
    ) async throws
        -> Int
    {
        let made = try await (client ?? alice.client).post(
            Self.path + "/",
            ["name": .string(name), "html": .string("<b>\(name)</b>"), "is_default": .bool(isDefault), "rules": rules]
        ).json(201)
        return try #require(made["id"].int)
    }

    @Test func oneIsMadeReadChangedAndDeleted() async throws {
        let made = try await alice.client.post(
            Self.path,
            [
                "name": "Work", "html": "<p onclick=\"x()\">Ann<script>alert(1)</script></p>",
                "rules": [["match_type": "domain", "match_value": "Example.COM"], ["match_type": "any"]],
            ]
        ).json(201)
        #expect(made["html"].string?.contains("script") == false && made["html"].string?.contains("onclick") == false)
        #expect(made["plain"].string?.contains("Ann") == true && made["is_default"] == false)
        #expect(made["account"].string == alice.email)
        #expect(made["rules"][0] == ["match_type": "domain", "match_value": "example.com"])
        let path = "\(Self.path)/\(try #require(made["id"].int))"
        #expect(try await alice.client.get(path).json(200) == made)
        let read = try await alice.client.get(path)
        let tag = try #require(read.headers["etag"])
        #expect(try await alice.client.get(path, headers: [("If-None-Match", tag)]).status == 304)
        let changed = try await alice.client.put(
            path, ["name": "Home", "html": "<i>A</i>", "plain": "A", "is_default": true]
        ).json(200)
        #expect(changed["name"] == "Home" && changed["plain"] == "A" && changed["rules"] == [])
        #expect(try await alice.client.get(path, headers: [("If-None-Match", tag)]).status == 200)
        let list = try await alice.client.get(Self.path).json(200)
        #expect(list["items"] == [changed] && list["total"] == 1 && list["page"] == 1 && list["per_page"] == 50)
        #expect(try await alice.client.delete(path).status == 204)
        for reply in [try await alice.client.get(path), try await alice.client.delete(path)] {
            #expect(reply.status == 404 && reply.isCleanProblem)
        }
    }

    @Test func theBestIsFound() async throws {
        func match(_ to: String) async throws -> JSON {
            try await alice.client.get("\(Self.path)/match?to=\(escaped(to))").json(200)
        }
        #expect(try await match("x@example.net") == .null)
        let standard = try await make("default", default: true)
        let broad = try await make("domain", rules: [["match_type": "domain", "match_value": "example.com"]])
        let narrow = try await make("sub", rules: [["match_type": "domain", "match_value": "mail.example.com"]])
        let single = try await make("one", rules: [["match_type": "address", "match_value": "ann@mail.example.com"]])
        for (to, id) in [
            ("x@example.net", standard), ("x@Example.com", broad), ("x@a.example.com", broad),
            ("x@mail.example.com", narrow),
            ("ANN@mail.example.com", single), ("x@badexample.com", standard),
        ] { #expect(try await match(to)["id"].int == id, "\(to)") }
        let anybody = try await make("any", rules: [["match_type": "any"]])
        #expect(try await match("x@example.net")["id"].int == anybody)
        for query in ["", "?to=", "?to=x", "?to=a%0d%0a@b.test"] {
            let reply = try await alice.client.get("\(Self.path)/match\(query)")
            #expect(reply.status == 422 && reply.faultyFields == ["to"], "\(query) \(reply.text)")
        }
    }

    @Test func oneDefaultAtATime() async throws {
        let first = try await make("1", default: true)
        let second = try await make("2", default: true)
        #expect(try await alice.client.get("\(Self.path)/\(first)").json(200)["is_default"] == false)
        _ = try await alice.client.put("\(Self.path)/\(first)", ["name": "1", "html": "", "is_default": true]).json(200)
        #expect(try await alice.client.get("\(Self.path)/\(second)").json(200)["is_default"] == false)
    }

    @Test func whatIsWrongIsNamed() async throws {
        let long = JSON.string(String(repeating: "x", count: 140_000))
        for (body, field): (JSON, String) in [
            (["html": "x"], "name"), (["name": "x"], "html"), (["name": "", "html": "x"], "name"),
            (["name": "a\r\nb", "html": "x"], "name"), (["name": "x", "html": long], "html"),
            (["name": "x", "html": "", "plain": long], "plain"),
            (["name": "x", "html": "", "colour": "red"], "colour"),
            (["name": "x", "html": "", "rules": [["match_type": "all"]]], "rules.0.match_type"),
            (
                ["name": "x", "html": "", "rules": [["match_type": "domain", "match_value": "a b"]]],
                "rules.0.match_value"
            ),
            (["name": "x", "html": "", "rules": .array(Array(repeating: ["match_type": "any"], count: 101))], "rules"),
        ] {
            let reply = try await alice.client.post(Self.path, body)
            #expect(
                reply.status == 422 && reply.faultyFields == [field] && reply.isCleanProblem, "\(field) \(reply.text)")
        }
        for _ in 0..<50 { _ = try await make("x") }
        let reply = try await alice.client.post(Self.path, ["name": "x", "html": ""])
        #expect(reply.status == 422 && reply.faultyFields == ["signatures"])
    }

    @Test func anothersDoesNotExist() async throws {
        let bob = try await tenant.newMailbox(unique("bob"))
        let carol = try await platform.newTenant().newMailbox("carol")
        let id = try await make("mine")
        let callers: [(String, Client)] = [
            ("a colleague", bob.client), ("a stranger", carol.client),
            ("the hoster in another mailbox", platform.hoster.reading(bob.email)),
        ]
        for (who, client) in callers {
            for path in ["\(Self.path)/\(id)", "\(Self.path)/999999999", "\(Self.path)/x"] {
                for reply in [
                    try await client.get(path), try await client.put(path, ["name": "x", "html": ""]),
                    try await client.delete(path),
                ] { #expect(reply.status == 404 && reply.isCleanProblem, "\(who): \(reply.request) \(reply.text)") }
            }
            #expect(try await client.get(Self.path).json(200)["total"] == 0, "\(who)")
            #expect(try await client.get("\(Self.path)/match?to=a@b.test").json(200) == .null)
        }
        #expect(try await alice.client.get("\(Self.path)/\(id)").json(200)["name"] == "mine")
        let nobody = platform.hoster.reading("nobody@nowhere.test")
        for path in [Self.path, "\(Self.path)/match?to=a@b.test", "\(Self.path)/\(id)"] {
            #expect(try await nobody.get(path).status == 404, "\(path)")
        }
        #expect(try await nobody.post(Self.path, ["name": "x", "html": ""]).status == 404)
        #expect(try await platform.hoster.get(Self.path).status == 422)
    }

    @Test func anAdminSeesThoseOfTheCustomer() async throws {
        let own = try await platform.newTenant()
        let (dora, emil) = (try await own.newMailbox("dora"), try await own.newMailbox("emil"))
        let admin = try await own.newUser("admin").client
        let ids = [try await make("d", by: dora.client), try await make("e", by: emil.client)]
        let foreign = try await make("a")
        let all = try await admin.get(Self.path).json(200)
        #expect(all["items"].items.compactMap { $0["id"].int } == ids)
        #expect(all["items"].items.compactMap { $0["account"].string } == [dora.email, emil.email])
        #expect(try await admin.reading(emil.email).get(Self.path).json(200)["total"] == 1)
        #expect(try await admin.put("\(Self.path)/\(ids[0])", ["name": "new", "html": ""]).status == 200)
        #expect(try await admin.reading(emil.email).get("\(Self.path)/\(ids[0])").status == 404)
        #expect(try await admin.get("\(Self.path)/\(foreign)").status == 404)
        #expect(try await admin.reading(dora.email).post(Self.path, ["name": "x", "html": ""]).status == 201)
    }
}
