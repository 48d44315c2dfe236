import Foundation
import Testing

/// Customers, users and service tokens: made, changed, suspended, deleted; and what ends with it.
@Suite(.timeLimit(.minutes(2))) struct PeopleTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    /// A user of the tenant with its password.
    private func newPerson(_ role: String = "member") async throws -> (id: Int, email: String, password: String) {
        let email = "\(unique("person"))@people.test", password = unique("password")
        let user = try await platform.hoster.post(
            "/api/v1/users",
            [
                "customer_id": .int(tenant.customerID), "email": .string(email), "password": .string(password),
                "role": .string(role),
            ]
        ).json(201)
        return (try #require(user["id"].int), email, password)
    }

    private func loggedIn(_ email: String, _ password: String) async throws -> Client {
        let session = try await platform.logIn(email, password).json(200)
        return platform.stranger.with(.bearer(try #require(session["access_token"].string)))
    }

    @Test func aCustomerIsRenamedAndGoesWhenItIsEmpty() async throws {
        let path = "/api/v1/customers/\(tenant.customerID)"
        let name = unique("Renamed")
        let renamed = try await platform.hoster.patch(path, ["name": .string(name)]).json(200)
        #expect(renamed["name"].string == name && renamed["status"] == "active")
        let found = try await platform.hoster.get("/api/v1/customers?search=\(escaped(name))").json(200)
        #expect(found["total"] == 1 && found["items"][0]["id"].int == tenant.customerID)
        let kept = try await platform.hoster.delete(path)
        #expect(kept.status == 409 && kept.code == "customer_not_empty", "\(kept.text)")
        let empty = try await platform.hoster.post("/api/v1/customers", ["name": "Empty"]).json(201)["id"].int ?? 0
        #expect(try await platform.hoster.delete("/api/v1/customers/\(empty)").status == 204)
        #expect(try await platform.hoster.get("/api/v1/customers/\(empty)").status == 404)
        #expect(try await platform.hoster.delete("/api/v1/customers/\(empty)").status == 404)
    }

    @Test func aSuspendedCustomerIsShutOutAtOnce() async throws {
        let alice = try await tenant.newMailbox("alice")
        let person = try await newPerson("admin")
        let admin = try await loggedIn(person.email, person.password)
        let token = try await alice.mailToken()
        let path = "/api/v1/customers/\(tenant.customerID)"
        #expect(try await admin.post(path + "/suspend").status == 403)
        #expect(try await platform.hoster.post(path + "/suspend").json(200)["status"] == "suspended")
        #expect(try await platform.introspect(token).json == ["active": false])
        #expect(try await alice.canLogInToIMAP(.password(alice.password)) == false)
        #expect(try await platform.logIn(alice.email, alice.password).code == "account_suspended")
        #expect(try await platform.logIn(person.email, person.password).code == "account_suspended")
        try await eventually(within: .seconds(1), "its tokens are dead everywhere") {
            try await admin.get("/api/v1/mail/domains").status == 401
        }
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 401)
        #expect(try await platform.hoster.get(alice.accountRoute()).json(200)["status"] == "suspended")
        #expect(try await platform.hoster.post(path + "/unsuspend").json(200)["status"] == "active")
        _ = try await loggedIn(person.email, person.password)
        try await eventually(within: .seconds(1), "the password opens it again") {
            try await alice.canLogInToIMAP(.password(alice.password))
        }
    }

    @Test func aChangedUserLosesItsOldTokens() async throws {
        let alice = try await tenant.newMailbox("alice")
        for change: JSON in [
            ["role": "admin"], ["accounts": [.string(alice.email)]], ["email": .string("\(unique("new"))@people.test")],
            ["status": "suspended"],
        ] {
            let person = try await newPerson()
            let client = try await loggedIn(person.email, person.password)
            let changed = try await platform.hoster.patch("/api/v1/users/\(person.id)", change).json(200)
            for key in change.keys { #expect(changed[key] == change[key], "\(change)") }
            #expect(try await client.get("/api/v1/auth/sessions").status == 401, "\(change)")
        }
        let person = try await newPerson()
        let path = "/api/v1/users/\(person.id)"
        for (change, field): (JSON, String) in [
            (["role": "owner"], "role"), (["rôle": "admin"], "rôle"), (["accounts": ["x@nowhere.test"]], "accounts.0"),
            (["email": "no address"], "email"), (["status": "asleep"], "status"),
        ] {
            let reply = try await platform.hoster.patch(path, change)
            #expect(reply.status == 422 && reply.faultyFields == [field], "\(change) \(reply.text)")
        }
        let other = try await newPerson()
        #expect(try await platform.hoster.patch(path, ["email": .string(other.email)]).code == "user_exists")
        #expect(try await platform.hoster.delete(path).status == 204)
        #expect(try await platform.logIn(person.email, person.password).code == "invalid_credentials")
        #expect(try await platform.hoster.patch(path, ["role": "admin"]).status == 404)
    }

    @Test func anAdminKeepsItsCustomerOpenAndToItself() async throws {
        let person = try await newPerson("admin")
        let admin = try await loggedIn(person.email, person.password)
        let own = "/api/v1/users/\(person.id)"
        for reply in [
            try await admin.patch(own, ["role": "member"]), try await admin.post(own + "/suspend"),
            try await admin.delete(own),
        ] { #expect(reply.status == 409 && reply.code == "last_admin", "\(reply.text)") }
        let colleague = try await newPerson("admin")
        #expect(try await admin.patch("/api/v1/users/\(colleague.id)", ["role": "member"]).status == 200)
        let foreign = try await platform.newTenant().newUser("member").id
        for reply in [
            try await admin.patch("/api/v1/users/\(foreign)", ["role": "admin"]),
            try await admin.put("/api/v1/users/\(foreign)", ["password": "a good password"]),
            try await admin.post("/api/v1/users/\(foreign)/suspend"),
            try await admin.delete("/api/v1/users/\(foreign)"),
        ] { #expect(reply.status == 404 && reply.isCleanProblem, "\(reply.text)") }
        let listed = try await admin.get("/api/v1/users?search=\(escaped(colleague.email))").json(200)
        #expect(listed["total"] == 1)
    }

    @Test func aNewPasswordEndsWhatTheOldOneOpened() async throws {
        let person = try await newPerson(), alice = try await tenant.newMailbox("alice")
        let client = try await loggedIn(person.email, person.password)
        let body: JSON = ["current_password": "wrong", "new_password": "a new password"]
        #expect(try await client.post("/api/v1/auth/password", body).code == "invalid_credentials")
        let short = try await client.post(
            "/api/v1/auth/password", ["current_password": .string(person.password), "new_password": "short"])
        #expect(short.status == 422 && short.faultyFields == ["new_password"], "\(short.text)")
        for (client, email, password) in [
            (client, person.email, person.password), (alice.client, alice.email, alice.password),
        ] {
            try await Task.sleep(for: .seconds(1.1))
            let reply = try await client.post(
                "/api/v1/auth/password",
                ["current_password": .string(password), "new_password": "a new password"])
            #expect(reply.status == 204, "\(reply.text)")
            #expect(try await client.get("/api/v1/auth/sessions").status == 401)
            #expect(try await platform.logIn(email, password).status == 401)
        }
        try await Task.sleep(for: .seconds(1.1))
        let again = try await loggedIn(person.email, "a new password")
        let path = "/api/v1/users/\(person.id)"
        #expect(try await platform.hoster.put(path, ["password": "set by the hoster"]).status == 200)
        #expect(try await again.get("/api/v1/auth/sessions").status == 401)
        _ = try await loggedIn(person.email, "set by the hoster")
        #expect(try await platform.hoster.post("/api/v1/auth/password", body).status == 403)
    }

    @Test func aServiceTokenIsNamedListedAndDeletedAtOnce() async throws {
        let made = try await platform.hoster.post(
            "/api/v1/service-tokens", ["name": "Shop", "scopes": ["mail:read", "auth:mail-token"]]
        ).json(201)
        let path = "/api/v1/service-tokens/\(try #require(made["id"].int))"
        let token = platform.stranger.with(.serviceToken(try #require(made["token"].string)))
        let alice = try await tenant.newMailbox("alice")
        let mail = try await token.post("/api/v1/auth/mail-token", ["email": .string(alice.email)]).json(200)
        let mailToken = try #require(mail["access_token"].string)
        #expect(try await platform.introspect(mailToken).json["active"] == .bool(true))
        #expect(try await platform.hoster.patch(path, ["name": "Store"]).json(200)["name"] == "Store")
        let shown = try await platform.hoster.get(path)
        #expect(shown.json["last_used_at"].string != nil && !shown.text.contains("xs_"), "\(shown.text)")
        #expect(try await platform.hoster.delete(path).status == 204)
        try await eventually(within: .seconds(1), "it counts nowhere any more") {
            try await token.get("/api/v1/mail/domains").status == 401
        }
        #expect(try await platform.introspect(mailToken).json == ["active": false])
        #expect(try await platform.hoster.get(path).status == 404)
        for (body, field): (JSON, String) in [
            (["name": "x", "scopes": ["mail:burn"]], "scopes.0"), (["name": "x", "scopes": []], "scopes"),
            (["name": "x", "scopes": ["auth:tokens"], "domains": ["a.test"]], "scopes.0"),
            (["name": "x", "scopes": ["*"], "domains": ["no domain"]], "domains.0"),
            (["name": "x", "scopes": ["*"], "addresses": []], "domains"),
            (["name": "x", "scopes": ["*"], "expires_at": "2001-01-01T00:00:00Z"], "expires_at"),
        ] {
            let reply = try await platform.hoster.post("/api/v1/service-tokens", body)
            #expect(reply.status == 422 && reply.faultyFields == [field], "\(body) \(reply.text)")
        }
    }
}
