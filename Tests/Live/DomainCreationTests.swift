import Foundation
import Testing

/// A domain that is made is one the world can write to: its records stand in the real name server.
@Suite(.timeLimit(.minutes(2))) struct DomainCreationTests {
    let platform: Platform
    let customer: Int

    init() async throws {
        platform = try Platform()
        customer = try #require(
            try await platform.hoster.post("/api/v1/customers", ["name": .string(unique("Customer"))]).json(201)["id"]
                .int)
    }

    private func create(_ domain: String) async throws -> Reply {
        try await platform.hoster.post(
            "/api/v1/mail/domains", ["domain": .string(domain), "customer_id": .int(customer)])
    }

    @Test func theRecordsAreAnswered() async throws {
        let name = unique("five") + ".test"
        let answer = try await create(name).json(201)
        #expect(answer["domain"].string == name && answer["customer_id"].int == customer)
        #expect(answer["status"] == "active" && answer["dns"]["status"] == "ok")
        #expect(answer["accounts"] == 0 && answer["aliases"] == 0)
        #expect(Set(answer["records"].items.compactMap { $0["type"].string }) == ["MX", "TXT", "CNAME", "SRV"])
        try await expectRecords(of: name, promised: answer["records"].items)
    }

    private func expectRecords(of name: String, promised: [JSON]) async throws {
        let mx = try await platform.dig("MX", name)
        #expect(mx.count == 1 && mx.first?.hasPrefix("10 ") == true && mx.first?.hasSuffix(".") == true, "\(mx)")
        let spf = try await platform.dig("TXT", name)
        #expect(spf.count == 1 && spf.first?.hasPrefix("v=spf1 ") == true, "\(spf)")
        let dmarc = try await platform.dig("TXT", "_dmarc.\(name)")
        #expect(dmarc.count == 1 && dmarc.first?.hasPrefix("v=DMARC1; p=quarantine") == true, "\(dmarc)")
        let dkim = try await platform.dig("TXT", "mail._domainkey.\(name)")
        #expect(
            dkim.count == 1 && dkim.first?.contains("v=DKIM1") == true && dkim.first?.contains("p=") == true, "\(dkim)")
        let autoconfig = try await platform.dig("CNAME", "autoconfig.\(name)")
        #expect(autoconfig.count == 1 && autoconfig.first == mx.first.map { String($0.dropFirst(3)) }, "\(autoconfig)")
        let names = Set(promised.compactMap { $0["name"].string })
        #expect(names.isSuperset(of: [name, "_dmarc.\(name)", "mail._domainkey.\(name)", "autoconfig.\(name)"]))
    }

    @Test func anInternationalNameIsKeptAsALabels() async throws {
        let label = unique("bücher")
        let answer = try await create("\(label.uppercased()).test").json(201)
        let name = try #require(answer["domain"].string)
        #expect(name.hasPrefix("xn--") && name.hasSuffix(".test") && name == name.lowercased())
        try await expectRecords(of: name, promised: answer["records"].items)
        #expect(try await create("\(label).test").status == 409)
        #expect(try await create(name).status == 409)
    }

    @Test func aDomainIsMadeOnceWhoeverAsks() async throws {
        let name = unique("once") + ".test"
        _ = try await create(name).json(201)
        let again = try await create(name.uppercased())
        #expect(again.status == 409 && again.isCleanProblem, "\(again.text)")
        let elsewhere = try await platform.newTenant()
        let stolen = try await elsewhere.newUser("admin").client.post("/api/v1/mail/domains", ["domain": .string(name)])
        #expect(
            stolen.status == 409 && stolen.json["detail"].string?.contains("\(customer)") == false, "\(stolen.text)")
    }

    /// Of its own mailboxes, not of a domain below it.
    @Test func whatItsMailboxesHoldIsSummed() async throws {
        let tenant = try await platform.newTenant(), name = tenant.domain
        try await platform.sql(
            """
            INSERT INTO mailbox_usage (username, bytes, messages)
            VALUES ('one@\(name)', 1048576, 1), ('two@\(name)', 2097153, 1), ('three@below.\(name)', 9000000, 1)
            """)
        let found = try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)").json(200)
        #expect(found["used_mb"] == 4)
    }

    @Test func twoAtOnceMakeOne() async throws {
        let name = unique("race") + ".test"
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 { group.addTask { try await create(name).status } }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses.sorted() == [201, 409, 409, 409])
    }

    @Test func anAdminMakesDomainsForItsOwnCustomerAlone() async throws {
        let tenant = try await platform.newTenant(), stranger = try await platform.newTenant()
        let admin = try await tenant.newUser("admin").client, member = try await tenant.newUser("member").client
        let own = try await admin.post("/api/v1/mail/domains", ["domain": .string(unique("own") + ".test")])
        #expect(try own.json(201)["customer_id"].int == tenant.customerID)
        let foreign: JSON = [
            "domain": .string(unique("foreign") + ".test"), "customer_id": .int(stranger.customerID),
        ]
        #expect([403, 404].contains(try await admin.post("/api/v1/mail/domains", foreign).status))
        let byMember = try await member.post("/api/v1/mail/domains", ["domain": .string(unique("member") + ".test")])
        #expect(byMember.status == 403, "\(byMember.text)")
    }

    @Test(arguments: [
        "", "nodot", "-a.test", "a..test", "exa mple.test", "a.test/../b", "*.test", "ümläut", "a@b.test",
    ])
    func aNameThatIsNoneIsRefused(name: String) async throws {
        let reply = try await create(name)
        #expect(reply.status == 422 && reply.faultyFields == ["domain"] && reply.isCleanProblem, "\(reply.text)")
    }

    @Test func anUnknownCustomerIsRefused() async throws {
        let body: JSON = ["domain": .string(unique("lost") + ".test"), "customer_id": 999_999_999]
        let reply = try await platform.hoster.post("/api/v1/mail/domains", body)
        #expect(reply.status == 422 && reply.faultyFields == ["customer_id"], "\(reply.text)")
        let without = try await platform.hoster.post(
            "/api/v1/mail/domains", ["domain": .string(unique("lost") + ".test")])
        #expect(without.status == 422 && without.faultyFields == ["customer_id"], "\(without.text)")
    }

    @Test func domainsAreFoundAndPaged() async throws {
        let mark = unique("paged")
        for number in 1...3 { _ = try await create("\(mark)-\(number).test").json(201) }
        let list = try await platform.hoster.get("/api/v1/mail/domains?search=\(mark)&per_page=2").json(200)
        #expect(list["total"] == 3 && list["items"].items.count == 2 && list["page"] == 1 && list["per_page"] == 2)
        let rest = try await platform.hoster.get("/api/v1/mail/domains?customer_id=\(customer)&per_page=2&page=2")
        #expect(try rest.json(200)["items"].items.count == 1)
        let first = list["items"][0]
        #expect(
            try await platform.hoster.get("/api/v1/mail/domains/\(first["id"].int ?? 0)").json(200)["domain"]
                == first["domain"])
    }
}
