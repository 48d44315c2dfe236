import Foundation
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
}
