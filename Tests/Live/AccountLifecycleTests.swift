import Foundation
import TestSupport
import Testing

/// What becomes of a mailbox: renamed, bounded, deleted, brought back, gone.
@Suite(.timeLimit(.minutes(2))) struct AccountLifecycleTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
    }

    private func deliver(_ subject: String, to recipient: String) async throws -> JSON {
        let sender = "friend@elsewhere.example"
        return try await platform.deliver(
            [plainMail(from: sender, to: recipient, subject: subject)], from: sender, to: recipient
        ).first ?? .null
    }

    private func home(_ localPart: String) -> String {
        "\(platform.stack.state)/mail/vhosts/\(tenant.domain)/\(localPart)"
    }

    @Test func aRenamedMailboxTakesItsMailAlong() async throws {
        #expect(try await deliver("Before", to: alice.email)["accepted"] == true)
        _ = try await alice.arrival(of: "Before")
        let token = try await alice.mailToken()
        let renamed = try await platform.hoster.patch(alice.accountRoute(), ["local_part": "Alicia"]).json(200)
        let email = "alicia@\(tenant.domain)"
        #expect(renamed["email"].string == email && renamed["messages"] == 1)
        try await eventually(within: .seconds(5), "the mail has moved") {
            FileManager.default.fileExists(atPath: home("alicia") + "/Maildir")
                && !FileManager.default.fileExists(atPath: home("alice"))
        }
        try await eventually(within: .seconds(5), "the new address logs in") {
            try await platform.logIn(email, alice.password).status == 200
        }
        let session = try await platform.logIn(email, alice.password).json(200)
        let alicia = Mailbox(
            platform: platform, id: alice.id, email: email, password: alice.password,
            client: platform.stranger.with(.bearer(session["access_token"].string ?? "")))
        #expect(try await alicia.subjects() == ["Before"])
        #expect(try await alice.canLogInToIMAP(.password(alice.password)) == false, "the old name is none")
        #expect(try await platform.introspect(token).json == ["active": false])
        #expect(try await deliver("To the old name", to: alice.email)["accepted"] == true)
        #expect(try await deliver("To the new name", to: email)["accepted"] == true)
        _ = try await alicia.arrival(of: "To the old name")
        _ = try await alicia.arrival(of: "To the new name")
        let taken = try await platform.hoster.patch(
            try await tenant.newMailbox("bob").accountRoute(), ["local_part": "alicia"])
        #expect(taken.status == 409 && taken.code == "account_exists", "\(taken.text)")
    }

    @Test func aDeletedMailboxIsShutAndComesBack() async throws {
        #expect(try await deliver("Kept", to: alice.email)["accepted"] == true)
        _ = try await alice.arrival(of: "Kept")
        let held = try await alice.holdIMAP(.password(alice.password), seconds: 20)
        try #require(try await platform.hoster.delete(alice.accountRoute()).status == 204)
        #expect(try await held.next()["ended"] != .null)
        #expect(try await platform.hoster.get(alice.accountRoute()).status == 404)
        #expect(try await platform.logIn(alice.email, alice.password).status == 401)
        #expect(try await deliver("Refused", to: alice.email)["accepted"] == false)
        let list = "/api/v1/mail/domains/\(tenant.domainID)/accounts"
        #expect(try await platform.hoster.get(list).json(200)["total"] == 0)
        #expect(try await platform.hoster.get(list + "?deleted=true").json(200)["items"][0]["purge_at"].string != nil)
        let again = try await platform.hoster.post(list, ["local_part": "alice", "password": "a good password"])
        #expect(again.status == 409 && again.code == "account_exists", "\(again.text)")
        _ = try await platform.hoster.post(alice.accountRoute("/restore")).json(200)
        #expect(try await platform.hoster.get(list).json(200)["total"] == 1)
        #expect(try await alice.canLogInToIMAP(.password(alice.password)))
        #expect(try await platform.logIn(alice.email, alice.password).status == 200)
    }

    @Test func aPurgedMailboxLeavesNothing() async throws {
        #expect(try await deliver("Gone", to: alice.email)["accepted"] == true)
        _ = try await alice.arrival(of: "Gone")
        try #require(try await platform.hoster.delete(alice.accountRoute()).status == 204)
        try #require(try await platform.hoster.delete(alice.accountRoute() + "?purge=true").status == 204)
        #expect(!FileManager.default.fileExists(atPath: home("alice")))
        #expect(try await platform.hoster.post(alice.accountRoute("/restore")).status == 404)
        let anew = try await tenant.newMailbox("alice")
        #expect(anew.id != alice.id)
        #expect(try await anew.messages()["total"] == 0)
    }

    @Test func theLastLoginIsDovecotsToo() async throws {
        let bob = try await tenant.newMailbox("bob")
        let before = try await platform.hoster.get(bob.accountRoute()).json(200)["last_login"].string
        try await Task.sleep(for: .milliseconds(1100))
        #expect(try await bob.canLogInToIMAP(.password(bob.password)))
        try await eventually(within: .seconds(5), "the login is noted") {
            let now = try await platform.hoster.get(bob.accountRoute()).json(200)["last_login"].string
            return now != nil && now != before
        }
    }

    @Test func aMailboxSendsNoMoreThanItMay() async throws {
        let changed = try await platform.hoster.patch(alice.accountRoute(), ["send_limit": 2]).json(200)
        #expect(changed["send_limit"] == 2)
        for number in 1...2 {
            let sent = try await alice.submit(.password(alice.password), to: alice.email, subject: "Number \(number)")
            #expect(sent["accepted"] == true, "\(sent)")
        }
        let third = try await alice.submit(.password(alice.password), to: alice.email, subject: "Number 3")
        #expect(third["accepted"] == false && third["code"] == 450, "\(third)")
        let unbounded = try await platform.hoster.patch(alice.accountRoute(), ["send_limit": .null]).json(200)
        #expect(unbounded["send_limit"] == .null)
        let fourth = try await alice.submit(.password(alice.password), to: alice.email, subject: "Number 4")
        #expect(fourth["accepted"] == true, "\(fourth)")
    }

    @Test func listsAreFilteredAndSorted() async throws {
        for name in ["carol", "bob"] { _ = try await tenant.newMailbox(name, displayName: "Person \(name)") }
        func names(_ query: String) async throws -> [String] {
            try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)/accounts?" + query).json(200)[
                "items"
            ]
            .items.compactMap { $0["email"].string?.split(separator: "@").first.map(String.init) }
        }
        #expect(try await names("") == ["alice", "bob", "carol"])
        #expect(try await names("sort=-email") == ["carol", "bob", "alice"])
        #expect(try await names("sort=created_at") == ["alice", "carol", "bob"])
        #expect(try await names("search=Person") == ["bob", "carol"])
        #expect(try await names("sort=-used_mb&per_page=1").count == 1)
        try #require(try await platform.hoster.post(alice.accountRoute("/suspend")).status == 200)
        #expect(try await names("status=suspended") == ["alice"])
        let all = try await platform.hoster.get("/api/v1/mail/accounts?search=\(tenant.domain)&sort=email").json(200)
        #expect(all["total"] == 3)
    }

    @Test func changesAreRecordedWithBeforeAndAfter() async throws {
        _ = try await platform.hoster.patch(alice.accountRoute(), ["quota_mb": 99, "display_name": "Alice"]).json(200)
        let audit = "/api/v1/mail/audit?action=account.changed&target=\(escaped(alice.email))"
        let record = try await platform.hoster.get(audit).json(200)["items"][0]
        #expect(record["detail"]["before.quota_mb"] == "64" && record["detail"]["after.quota_mb"] == "99", "\(record)")
        #expect(record["ip"].string != nil && record["actor"].string?.hasPrefix("service:") == true)
        let admin = try await tenant.newUser("admin").client
        #expect(try await admin.get(audit).json(200)["total"] == 1)
        let stranger = try await platform.newTenant().newUser("admin").client
        #expect(try await stranger.get(audit).json(200)["total"] == 0)
        #expect(try await admin.delete("/api/v1/mail/audit").status == 405)
    }

    @Test func sendingAsOthersIsARightOfItsOwn() async throws {
        let boss = "boss@\(tenant.domain)"
        func submit() async throws -> JSON {
            try await alice.submit(.password(alice.password), to: alice.email, from: boss, subject: unique("As"))
        }
        #expect(try await submit()["accepted"] == false)
        let route = alice.accountRoute("/send-as")
        #expect(
            try await platform.hoster.put(route, ["addresses": [.string(boss)]]).json(200)["addresses"] == [
                .string(boss)
            ])
        let sent = try await submit()
        #expect(sent["accepted"] == true, "\(sent)")
        #expect(try await deliver("Not received", to: boss)["accepted"] == false)
        let foreign = try await platform.newTenant()
        let stolen = try await platform.hoster.put(route, ["addresses": [.string("x@\(foreign.domain)")]])
        #expect(stolen.status == 422 && stolen.faultyFields == ["addresses.0"], "\(stolen.text)")
        #expect(try await platform.hoster.put(route, ["addresses": []]).status == 200)
        #expect(try await submit()["accepted"] == false)
    }
}
