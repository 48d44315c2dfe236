import Foundation
import TestSupport
import Testing

/// Mail is signed with every key of its domain, and an outside library verifies it against the name server that runs.
@Suite(.timeLimit(.minutes(2))) struct DKIMTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
    }

    private var route: String { "/api/v1/mail/domains/\(tenant.domainID)/dkim" }

    private func signatures(_ subject: String) async throws -> [JSON] {
        let sent = try await alice.submit(.password(alice.password), to: alice.email, subject: subject)
        try #require(sent["accepted"] == true, "\(sent)")
        let uid = try await alice.arrival(of: subject)
        let raw = try await alice.imap(.password(alice.password), ["raw", "INBOX", .int(uid)])[1]
        return try await platform.verifySignature(of: raw)["signatures"].items
    }

    private func keys() async throws -> [String: String] {
        let keys = try await platform.hoster.get(route).json(200)["keys"].items
        return Dictionary(keys.compactMap { key in key["selector"].string.map { ($0, key["state"].string ?? "") } }) {
            $1
        }
    }

    @Test func bothKeysSignAndVerify() async throws {
        let signatures = try await signatures("Twice signed")
        #expect(signatures.count == 2 && signatures.allSatisfy { $0["valid"] == true }, "\(signatures)")
        #expect(Set(signatures.compactMap { $0["selector"].string }) == ["mail", "mail-ed"])
        #expect(signatures.allSatisfy { $0["domain"].string == tenant.domain })
    }

    @Test func newKeysSignOnceTheWorldSeesThem() async throws {
        let old = try await signatures("Before")
        let rotated = try await platform.hoster.post(route + "/rotate")
        #expect(rotated.status == 202, "\(rotated.text)")
        try await eventually(within: .seconds(10), "the new keys sign") {
            let states = try await keys()
            return states.values.filter { $0 == "active" }.count == 2 && states["mail"] == "retired"
        }
        let states = try await keys()
        #expect(states["mail"] == "retired" && states["mail-ed"] == "retired" && states.count == 4, "\(states)")
        let new = try await signatures("After")
        #expect(new.count == 2 && new.allSatisfy { $0["valid"] == true }, "\(new)")
        #expect(Set(new.compactMap { $0["selector"].string }).isDisjoint(with: ["mail", "mail-ed"]))
        // What the old keys signed still verifies.
        #expect(try await platform.dig("TXT", "mail._domainkey.\(tenant.domain)").count == 1 && old.count == 2)
        #expect(
            try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)/dns").json(200)["agrees"] == true)
    }

    @Test func aRotationWaitsUntilItsKeysAreSeen() async throws {
        // Nobody writes this domain's records, so nobody sees them.
        let id =
            try await platform.hoster.post(
                "/api/v1/mail/domains",
                [
                    "domain": .string(unique("unseen") + ".test"), "customer_id": .int(tenant.customerID),
                    "dns": "manual",
                ]
            ).json(201)["id"].int ?? 0
        let route = "/api/v1/mail/domains/\(id)/dkim"
        let rotated = try await platform.hoster.post(route + "/rotate").json(202)
        #expect(rotated["keys"].items.filter { $0["state"] == "published" }.count == 2)
        let again = try await platform.hoster.post(route + "/rotate")
        #expect(again.status == 409 && again.code == "rotation_in_progress", "\(again.text)")
        try await Task.sleep(for: .seconds(3))
        let keys = try await platform.hoster.get(route).json(200)["keys"].items
        #expect(keys.first { $0["selector"] == "mail" }?["state"] == "active")
    }
}
