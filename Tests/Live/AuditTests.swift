import Foundation
import TestSupport
import Testing

/// Who did what, from where: for the hoster all of it, for an admin its customer's.
@Suite(.timeLimit(.minutes(1))) struct AuditTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    @Test func changesToPeopleAreOnRecord() async throws {
        let user = try await tenant.newUser("member")
        let path = "/api/v1/users/\(user.id)"
        _ = try await platform.hoster.patch(path, ["role": "admin"]).json(200)
        _ = try await platform.hoster.put(path, ["password": "never on record"]).json(200)
        _ = try await platform.hoster.post(path + "/suspend").json(200)
        #expect(try await platform.hoster.delete(path).status == 204)
        let reply = try await platform.hoster.get("/api/v1/auth/audit?customer_id=\(tenant.customerID)&action=user.")
        let records = try reply.json(200)["items"].items
        #expect(
            records.compactMap { $0["action"].string } == [
                "user.deleted", "user.suspended", "user.password_changed", "user.changed", "user.created",
            ])
        for record in records {
            #expect(record["actor"].string?.hasPrefix("service:") == true)
            #expect(record["ip"].string != nil && record["request_id"].string != nil && record["at"].string != nil)
        }
        #expect(records[3]["detail"] == ["role": "admin"])
        #expect(!reply.text.contains("never on record") && !reply.text.contains("argon2"))
    }

    @Test func anAdminReadsItsCustomersRecordAlone() async throws {
        let neighbour = try await platform.newTenant()
        _ = try await neighbour.newUser("member")
        let admin = try await tenant.newUser("admin").client
        let own = try await admin.get("/api/v1/auth/audit?per_page=200").json(200)["items"].items
        #expect(!own.isEmpty && own.allSatisfy { $0["customer_id"].int == tenant.customerID })
        #expect(try await admin.get("/api/v1/auth/audit?customer_id=\(neighbour.customerID)").json(200)["total"] == 0)
        let member = try await tenant.newUser("member").client
        #expect(try await member.get("/api/v1/auth/audit").status == 403)
        #expect(try await platform.stranger.get("/api/v1/auth/audit").status == 401)
        #expect(try await platform.hoster.delete("/api/v1/auth/audit").status == 405)
        let bad = try await admin.get("/api/v1/auth/audit?since=yesterday")
        #expect(bad.status == 422 && bad.faultyFields == ["since"])
    }

    @Test func failedLoginsAreOnRecord() async throws {
        let email = "\(unique("nobody"))@nowhere.test"
        #expect(try await platform.logIn(email, "wrong password").status == 401)
        let page = try await platform.hoster.get("/api/v1/auth/audit?target=\(escaped(email))").json(200)
        #expect(page["items"][0]["action"] == "login.failed" && page["items"][0]["actor"] == "anonymous")
    }

    // MARK: Every security event

    /// The actions on record about a target, the newest first, once there are so many.
    private func actions(_ query: String, atLeast count: Int = 1) async throws -> [String] {
        var found: [String] = []
        try await eventually(within: .seconds(3), "\(count) records of \(query)") {
            let page = try await platform.hoster.get("/api/v1/auth/audit?\(query)&per_page=50").json(200)
            found = page["items"].items.compactMap { $0["action"].string }
            return found.count >= count
        }
        return found
    }

    @Test func whatHappensToMailboxesAndDomainsIsOnRecord() async throws {
        let alice = try await tenant.newMailbox("alice")
        _ = try await platform.hoster.patch(alice.accountRoute(), ["quota_mb": 65]).json(200)
        _ = try await platform.hoster.put(alice.accountRoute(), ["password": "never on record"]).json(200)
        _ = try await platform.hoster.post(alice.accountRoute("/suspend")).json(200)
        _ = try await platform.hoster.post(alice.accountRoute("/unsuspend")).json(200)
        let path = "/api/v1/mail/domains/\(tenant.domainID)"
        _ = try await platform.hoster.post(
            path + "/aliases", ["source": "sales", "destination": .string(alice.email)]
        ).json(201)
        _ = try await platform.hoster.post(path + "/suspend").json(200)
        _ = try await platform.hoster.post(path + "/unsuspend").json(200)
        let customer = "customer_id=\(tenant.customerID)"
        #expect(
            try await actions("action=account.&\(customer)") == [
                "account.unsuspended", "account.suspended", "account.password_changed", "account.changed",
                "account.created",
            ])
        #expect(
            try await actions("action=domain.&\(customer)") == [
                "domain.unsuspended", "domain.suspended", "domain.created",
            ])
        #expect(try await actions("action=alias.&\(customer)") == ["alias.created"])
        let admin = try await tenant.newUser("admin").client
        let record = try await admin.get("/api/v1/auth/audit?target=\(escaped(alice.email))").json(200)["items"][0]
        #expect(record["actor"].string?.hasPrefix("service:") == true && record["ip"].string != nil)
    }

    @Test func sessionsAndTheirAbuseAreOnRecord() async throws {
        let alice = try await tenant.newMailbox("alice")
        let customer = "customer_id=\(tenant.customerID)"
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        func refresh(_ token: JSON) async throws -> Reply {
            try await platform.stranger.post("/api/v1/auth/refresh", ["refresh_token": token])
        }
        let second = try await refresh(session["refresh_token"]).json(200)["refresh_token"]
        _ = try await refresh(second).json(200)
        #expect(try await refresh(session["refresh_token"]).status == 401)
        #expect(try await actions("action=refresh_token.&\(customer)") == ["refresh_token.reused"])

        let program = OAuthProgram(platform: platform)
        let code = try await program.code(from: alice)
        _ = try await program.redeem(code).json(200)
        #expect(try await program.redeem(code).status == 400)
        #expect(
            try await actions("action=oauth.&\(customer)", atLeast: 2) == [
                "oauth.session_opened", "oauth.consent_granted",
            ])
        #expect(try await actions("action=authorization_code.&\(customer)") == ["authorization_code.replayed"])

        let exchanged = try await platform.stranger.postForm(
            "/oauth2/token",
            [
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": alice.accessToken,
                "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            ])
        #expect(exchanged.status == 200, "\(exchanged.text)")
        #expect(try await actions("action=mail_token.&\(customer)") == ["mail_token.issued"])
        #expect(try await alice.client.post("/api/v1/auth/logout").status == 204)
        #expect(try await actions("action=session.&\(customer)") == ["session.logged_out"])
        let member = try await tenant.newUser("admin").client
        let text = try await member.get("/api/v1/auth/audit?per_page=200").text
        for secret in ["xr_", code, alice.password] { #expect(!text.contains(secret)) }
    }

    @Test func strangersWhoAreHeldBackAreOnRecord() async throws {
        let email = "\(unique("nobody"))@nowhere.test"
        // On a slow machine failures are forgotten nearly as fast as they are made: several at a time.
        for _ in 0..<8 {
            let refused = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await platform.logIn(email, "wrong password").status } }
                return try await group.contains(429)
            }
            if refused { break }
        }
        #expect(try await actions("action=login.throttled&target=\(escaped(email))") == ["login.throttled"])
        let wrong = Client(base: platform.stack.authURL, credentials: .basic("dovecot:wrong"))
        #expect(try await wrong.postForm("/api/v1/auth/token/introspect", ["token": "x"]).status == 401)
        #expect(try await actions("action=introspection.refused").isEmpty == false)
        _ = try await platform.stranger.postForm("/oauth2/device", ["client_id": "isync"]).json(200)
        #expect(try await actions("action=oauth.device_requested&target=isync").isEmpty == false)
    }
}
