import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// What becomes of a domain after it was made: checked, repaired, deleted, brought back, gone.
@Suite(.timeLimit(.minutes(2))) struct DomainLifecycleTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    private var route: String { "/api/v1/mail/domains/\(tenant.domainID)" }

    /// The zone as PowerDNS has it, and changes to it by somebody else.
    private func zone(_ method: HTTPMethod = .GET, _ body: JSON? = nil, path: String? = nil) async throws -> Reply {
        let environment = try Launch("admin-api", of: platform).environment
        let key = try String(contentsOfFile: environment["XYNAP_PDNS_API_KEY_FILE"] ?? "", encoding: .utf8).trimming(
            "\n ")
        return try await Client(base: environment["XYNAP_PDNS_URL"] ?? "").send(
            method, "/api/v1/servers/localhost/zones" + (path ?? "/\(tenant.domain)."), body,
            headers: [("X-API-Key", key)])
    }

    private func replace(_ name: String, _ type: String, _ values: [String]) async throws {
        let records = values.map { JSON.object(["content": .string($0), "disabled": false]) }
        let change: JSON = [
            "rrsets": [
                [
                    "name": .string(name + "."), "type": .string(type), "ttl": 60, "changetype": "REPLACE",
                    "records": .array(records),
                ]
            ]
        ]
        // Its database takes one writer at a time, and tells those who wait for long that it is locked.
        try await eventually(within: .seconds(10), "PowerDNS takes the change") {
            let reply = try await zone(.PATCH, change)
            try #require([204, 500].contains(reply.status), "\(reply.text)")
            return reply.status == 204
        }
    }

    @Test func theWorldIsComparedWithWhatIsWanted() async throws {
        let good = try await platform.hoster.get(route + "/dns").json(200)
        #expect(good["agrees"] == true, "\(good)")
        #expect(good["records"].items.count >= 12 && good["records"].items.allSatisfy { $0["status"] == "ok" })
        try await replace(tenant.domain, "MX", ["5 elsewhere.test."])
        try await replace("_dmarc." + tenant.domain, "TXT", [])
        let bad = try await platform.hoster.get(route + "/dns").json(200)
        let wrong = bad["records"].items.filter { $0["status"] != "ok" }
        #expect(bad["agrees"] == false && wrong.count == 2, "\(wrong)")
        #expect(wrong.first { $0["type"] == "MX" }?["message"].string?.contains("5 elsewhere.test.") == true)
        #expect(wrong.first { $0["type"] == "TXT" }?["status"] == "missing")
        let synced = try await platform.hoster.post(route + "/dns/sync").json(200)
        #expect(synced["agrees"] == true && synced["dns"]["status"] == "ok", "\(synced)")
        #expect(try await platform.dig("MX", tenant.domain) == ["10 mx.xynap.test."])
    }

    @Test func whatOthersPutIntoTheZoneStays() async throws {
        try await replace("www." + tenant.domain, "A", ["192.0.2.7"])
        try await replace(tenant.domain, "TXT", ["\"v=spf1 -all\"", "\"site-verification=abc\""])
        _ = try await platform.hoster.post(route + "/dns/sync").json(200)
        #expect(try await platform.dig("A", "www." + tenant.domain) == ["192.0.2.7"])
        let texts = try await platform.dig("TXT", tenant.domain)
        #expect(texts.count == 2 && texts.contains("site-verification=abc"), "\(texts)")
        #expect(texts.contains { $0.hasPrefix("v=spf1 ip4:") })
        try #require(try await platform.hoster.delete(route + "?purge=true").status == 204)
        #expect(try await platform.dig("A", "www." + tenant.domain) == ["192.0.2.7"])
        #expect(try await platform.dig("TXT", tenant.domain) == ["site-verification=abc"])
        #expect(try await platform.dig("MX", tenant.domain) == [])
    }

    @Test func aRotationTouchesKeysAlone() async throws {
        try await replace(tenant.domain, "MX", ["5 elsewhere.test."])
        try await replace(tenant.domain, "TXT", ["\"v=spf1 -all\""])
        #expect(try await platform.hoster.post(route + "/dkim/rotate").status == 202)
        try await eventually(within: .seconds(10), "the new keys sign") {
            let keys = try await platform.hoster.get(route + "/dkim").json(200)["keys"].items
            return keys.filter { $0["state"] == "active" && $0["selector"] != "mail" && $0["selector"] != "mail-ed" }
                .count == 2
        }
        #expect(try await platform.dig("MX", tenant.domain) == ["5 elsewhere.test."])
        #expect(try await platform.dig("TXT", tenant.domain) == ["v=spf1 -all"])
    }

    @Test func aZoneThatIsOthersIsThePlatformsToTake() async throws {
        let name = unique("theirs") + ".test"
        let made = try await zone(
            .POST,
            ["name": .string(name + "."), "kind": "Native", "nameservers": ["ns1.elsewhere.test."], "rrsets": []],
            path: "")
        try #require(made.status == 201, "\(made.text)")
        let admin = try await tenant.newUser("admin").client
        let taken = try await admin.post("/api/v1/mail/domains", ["domain": .string(name)]).json(201)
        #expect(taken["dns"]["status"] == "failed" && taken["dns"]["detail"].string?.contains(name) == true, "\(taken)")
        #expect(try await platform.dig("MX", name) == [])
        let route = "/api/v1/mail/domains/\(taken["id"].int ?? 0)/dns/sync"
        #expect(try await admin.post(route).json(200)["dns"]["status"] == "failed")
        #expect(try await platform.hoster.post(route).json(200)["dns"]["status"] == "ok")
        #expect(try await platform.dig("MX", name).count == 1)
    }

    @Test func whatStandsInTheWayIsTold() async throws {
        try await replace("autoconfig." + tenant.domain, "CNAME", [])
        try await replace("autoconfig." + tenant.domain, "A", ["192.0.2.8"])
        let synced = try await platform.hoster.post(route + "/dns/sync").json(200)
        #expect(synced["dns"]["status"] == "failed")
        #expect(synced["dns"]["detail"].string?.contains("autoconfig.") == true, "\(synced["dns"])")
        #expect(try await platform.dig("A", "autoconfig." + tenant.domain) == ["192.0.2.8"])
    }

    @Test func aDeletedDomainIsShutAndComesBack() async throws {
        let alice = try await tenant.newMailbox("alice")
        try #require(try await platform.hoster.delete(route).status == 204)
        #expect(try await platform.hoster.get(route).status == 404)
        #expect(try await platform.hoster.get(alice.accountRoute()).status == 404)
        #expect(try await alice.canLogInToIMAP(.password(alice.password)) == false)
        #expect(try await platform.logIn(alice.email, alice.password).status == 401)
        let refused = try await platform.deliver(
            [plainMail(from: "a@b.example", to: alice.email, subject: "x")], from: "a@b.example", to: alice.email)
        #expect(refused.first?["accepted"] == false && refused.first?["code"].int ?? 0 >= 500, "\(refused)")
        let deleted = try await platform.hoster.get("/api/v1/mail/domains?deleted=true&search=\(tenant.domain)").json(
            200)
        #expect(deleted["items"][0]["purge_at"].string != nil && deleted["total"] == 1)
        let again = try await platform.hoster.post(
            "/api/v1/mail/domains", ["domain": .string(tenant.domain), "customer_id": .int(tenant.customerID)])
        #expect(again.status == 409 && again.code == "domain_exists", "\(again.text)")
        let back = try await platform.hoster.post(route + "/restore").json(200)
        #expect(back["deleted_at"] == .null && back["accounts"] == 1)
        #expect(try await alice.canLogInToIMAP(.password(alice.password)))
        #expect(try await platform.hoster.post(route + "/restore").status == 404)
    }

    @Test func aPurgedDomainLeavesNothing() async throws {
        let alice = try await tenant.newMailbox("alice")
        try #require(try await alice.send(to: alice.email, subject: "Gone").status == 202)
        _ = try await alice.arrival(of: "Gone")
        let mail = platform.stack.state + "/mail"
        #expect(FileManager.default.fileExists(atPath: "\(mail)/vhosts/\(tenant.domain)/alice"))
        try #require(try await platform.hoster.delete(route + "?purge=true").status == 204)
        #expect(!FileManager.default.fileExists(atPath: "\(mail)/vhosts/\(tenant.domain)"))
        let keys = try FileManager.default.contentsOfDirectory(atPath: mail + "/dkim")
        #expect(!keys.contains { $0.hasPrefix(tenant.domain) })
        #expect(try await zone().status == 404)
        for path in [route, route + "/dns", alice.accountRoute()] {
            #expect(try await platform.hoster.get(path).status == 404, "\(path)")
        }
        #expect(try await platform.hoster.delete(route + "?purge=true").status == 404)
        let made = try await platform.newDomain(tenant.domain, customer: tenant.customerID)
        #expect(made.id != tenant.domainID && made.name == tenant.domain)
    }

    @Test func aDomainMayStandForAnother() async throws {
        let alice = try await tenant.newMailbox("alice")
        let name = unique("other") + ".test"
        let made = try await platform.hoster.post(
            "/api/v1/mail/domains",
            ["domain": .string(name), "customer_id": .int(tenant.customerID), "alias_of": .int(tenant.domainID)]
        ).json(201)
        #expect(made["alias_of"].int == tenant.domainID)
        let sender = "friend@elsewhere.example"
        let taken = try await platform.deliver(
            [plainMail(from: sender, to: "alice@\(name)", subject: "By the other name")], from: sender,
            to: "alice@\(name)")
        #expect(taken.first?["accepted"] == true, "\(taken)")
        _ = try await alice.arrival(of: "By the other name")
        let unknown = try await platform.deliver(
            [plainMail(from: sender, to: "nobody@\(name)", subject: "x")], from: sender, to: "nobody@\(name)")
        #expect(unknown.first?["accepted"] == false, "\(unknown)")
        let sent = try await alice.submit(
            .password(alice.password), to: alice.email, from: "alice@\(name)", subject: "As the other")
        #expect(sent["accepted"] == true, "\(sent)")
        let inside = try await platform.hoster.post(
            "/api/v1/mail/domains/\(made["id"].int ?? 0)/accounts", ["local_part": "x", "password": "a good password"])
        #expect(inside.status == 409 && inside.code == "domain_is_alias", "\(inside.text)")
        let kept = try await platform.hoster.delete(route)
        #expect(kept.status == 409 && kept.json["detail"].string?.contains(name) == true, "\(kept.text)")
    }

    @Test func dnsIsKeptByHandIfWanted() async throws {
        let name = unique("byhand") + ".test"
        let made = try await platform.hoster.post(
            "/api/v1/mail/domains",
            ["domain": .string(name), "customer_id": .int(tenant.customerID), "dns": "manual"]
        ).json(201)
        #expect(made["dns"]["status"] == "manual" && made["records"].items.count >= 5)
        #expect(try await platform.dig("MX", name) == [])
        let id = made["id"].int ?? 0
        let told = try await platform.hoster.get("/api/v1/mail/domains/\(id)/dns").json(200)
        #expect(told["agrees"] == false && told["records"].items.allSatisfy { $0["message"].string?.isEmpty == false })
        #expect(try await platform.hoster.patch("/api/v1/mail/domains/\(id)", ["dns": "automatic"]).status == 200)
        try await eventually(within: .seconds(8), "the records are written") {
            try await platform.dig("MX", name).count == 1
        }
    }

    @Test func aCustomerHasNoMoreThanItMay() async throws {
        let limits = "/api/v1/mail/customers/\(tenant.customerID)/limits"
        let set = try await platform.hoster.put(limits, ["domains": 1, "accounts": 2, "quota_mb": 100]).json(200)
        #expect(set["limits"] == ["domains": 1, "accounts": 2, "quota_mb": 100] && set["used"]["domains"] == 1)
        let admin = try await tenant.newUser("admin").client
        let second = try await admin.post("/api/v1/mail/domains", ["domain": .string(unique("second") + ".test")])
        #expect(second.status == 409 && second.code == "limit_reached", "\(second.text)")
        func account(_ name: String, _ quota: Int) async throws -> Reply {
            try await admin.post(
                route + "/accounts",
                ["local_part": .string(name), "password": "a good password", "quota_mb": .int(quota)])
        }
        let first = try await account("a", 60)
        #expect(first.status == 201)
        #expect(try await account("b", 60).code == "limit_reached")
        #expect(try await account("b", 40).status == 201)
        #expect(try await account("c", 1).code == "limit_reached")
        let grown = try await admin.patch("/api/v1/mail/accounts/\(first.json["id"].int ?? 0)", ["quota_mb": 61])
        #expect(grown.code == "limit_reached", "\(grown.text)")
        #expect(try await admin.put(limits, [:]).status == 403, "not by the customer itself")
        #expect(try await platform.hoster.put(limits, [:]).status == 200)
        #expect(try await account("c", 1).status == 201)
    }

    @Test(arguments: [
        "localhost.localdomain", "x.local", "mx.xynap.test", "pаypal.test", "xn--a.test", "ab--cd.test",
        "evil.test\r\nMX", "a/../b.test", "evil.test\u{0}", "xn--pypal-4ve.test",
    ])
    func evilNamesAreRefused(name: String) async throws {
        let body: JSON = ["domain": .string(name), "customer_id": .int(tenant.customerID)]
        let reply = try await platform.hoster.post("/api/v1/mail/domains", body)
        #expect(reply.status == 422 && reply.faultyFields == ["domain"] && reply.isCleanProblem, "\(reply.text)")
    }

    @Test func nobodyHostsBelowAnothersDomain() async throws {
        let stranger = try await platform.newTenant().newUser("admin").client
        let stolen = try await stranger.post("/api/v1/mail/domains", ["domain": .string("login.\(tenant.domain)")])
        #expect(stolen.status == 409 && stolen.isCleanProblem, "\(stolen.text)")
        let own = try await tenant.newUser("admin").client
        #expect(try await own.post("/api/v1/mail/domains", ["domain": .string("shop.\(tenant.domain)")]).status == 201)
        #expect(try await platform.dig("MX", "shop.\(tenant.domain)").count == 1)
    }

    @Test func listsAreFilteredAndSorted() async throws {
        let mark = unique("sorted")
        for name in ["b", "a"] { _ = try await platform.newDomain("\(name)-\(mark).test", customer: tenant.customerID) }
        func names(_ query: String) async throws -> [String] {
            try await platform.hoster.get("/api/v1/mail/domains?search=\(mark)&" + query).json(200)["items"].items
                .compactMap { $0["domain"].string?.first.map(String.init) }
        }
        #expect(try await names("sort=domain") == ["a", "b"])
        #expect(try await names("sort=-domain") == ["b", "a"])
        #expect(try await names("sort=created_at") == ["b", "a"])
        #expect(try await names("status=suspended") == [])
        #expect(try await names("dns=ok") == ["a", "b"])
        for query in ["sort=color", "status=purple", "deleted=perhaps", "per_page=0"] {
            #expect(try await platform.hoster.get("/api/v1/mail/domains?" + query).status == 422, "\(query)")
        }
    }
}
