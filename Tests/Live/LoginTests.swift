import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Logging in: throttled, with a second factor, listed and ended.
@Suite(.timeLimit(.minutes(3))) struct LoginTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
    }

    /// A client at an address of its own, as the gateway, whose word is believed, tells it.
    private func logIn(
        _ email: String, _ password: String, from source: String, totp: String? = nil
    ) async throws -> Reply {
        var body: JSON = ["email": .string(email), "password": .string(password)]
        if let totp, case .object(var members) = body {
            members["totp"] = .string(totp)
            body = .object(members)
        }
        return try await Client(base: platform.stack.authURL).send(
            .POST, "/api/v1/auth/login", body, headers: [("X-Forwarded-For", source)])
    }

    @Test func guessingIsSlowedDownAndTheOwnerIsNotLockedOut() async throws {
        let source = "198.51.100.\(Int.random(in: 1...254))"
        let answers = try await withThrowingTaskGroup(of: Reply.self) { group in
            for guess in 0..<12 { group.addTask { try await logIn(alice.email, "guess \(guess)", from: source) } }
            return try await group.reduce(into: [Reply]()) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 429 }.count >= 5, "many at the same time are many")
        let refused = try #require(answers.first { $0.status == 429 })
        #expect(refused.isCleanProblem && (Int(refused.headers["retry-after"] ?? "") ?? 0) >= 1)
        #expect(try await logIn(alice.email, alice.password, from: "203.0.113.9").status == 200, "from elsewhere")
    }

    @Test func anAddressOfNobodyIsThrottledAlike() async throws {
        let source = "198.51.100.\(Int.random(in: 1...254))"
        let nobody = "nobody@\(tenant.domain)"
        let codes = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<12 { group.addTask { try await logIn(nobody, "guess", from: source).code } }
            return try await group.reduce(into: [String?]()) { $0.append($1) }
        }
        #expect(Set(codes) == ["invalid_credentials", "too_many_attempts"])
    }

    /// What nobody has as an address is neither counted nor kept; characters of many scalars fit on record.
    @Test func textOfAnyLengthIsAWrongAddress() async throws {
        let source = "198.51.100.\(Int.random(in: 1...254))"
        let long = String(repeating: "x", count: 400_000) + "@\(tenant.domain)"
        for _ in 0..<12 {
            let answer = try await logIn(long, "guess", from: source)
            #expect(answer.status == 401 && answer.code == "invalid_credentials", "\(answer.text)")
        }
        let tower = unique("a") + String(repeating: "\u{301}", count: 150)
        let answer = try await logIn(tower, "guess", from: source)
        #expect(answer.status == 401 && answer.code == "invalid_credentials", "\(answer.text)")
    }

    /// The least of several, which what else runs on the machine disturbs least: one hash less would be a half.
    @Test func unknownAndWrongTakeTheSameTime() async throws {
        func time(_ email: String, _ source: String) async throws -> Double {
            let started = ContinuousClock.now
            _ = try await logIn(email, "guess", from: source)
            let elapsed = started.duration(to: .now).components
            return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
        }
        var known: [Double] = [], unknown: [Double] = []
        var ratio = 0.0
        for round in 0..<20 {
            known.append(try await time(alice.email, "192.0.2.\(round + 1)"))
            unknown.append(try await time("nobody\(round)@\(tenant.domain)", "192.0.2.\(round + 1)"))
            ratio = (known.min() ?? 0) / (unknown.min() ?? 1)
            if round >= 3, (0.8...1.25).contains(ratio) { break }
        }
        #expect((0.8...1.25).contains(ratio), "\(ratio)")
    }

    /// What an operator sees of it.
    @Test func loginsAreCountedByTheirOutcome() async throws {
        let before = try await Metrics(platform.stack.authURL)
        let source = "198.51.100.\(Int.random(in: 1...254))"
        _ = try await logIn(alice.email, alice.password, from: "203.0.113.8").json(200)
        // Ten, for a wait that is over when the next attempt comes, on a busy machine, throttles nothing.
        for _ in 0..<10 { _ = try await logIn(alice.email, "wrong", from: source) }
        let token = try await alice.mailToken()
        for _ in 0..<2 { _ = try await platform.introspect(token).json(200) }
        _ = try await platform.introspect("unknown").json(200)
        #expect(try await platform.stranger.postForm("/api/v1/auth/token/revoke", ["token": token]).status == 200)
        let after = try await Metrics(platform.stack.authURL)
        // Others log in at the same time.
        #expect(after["logins_total", "outcome=\"success\""] >= before["logins_total", "outcome=\"success\""] + 1)
        #expect(after["logins_total", "outcome=\"wrong\""] >= before["logins_total", "outcome=\"wrong\""] + 5)
        #expect(after["logins_total", "outcome=\"throttled\""] >= before["logins_total", "outcome=\"throttled\""] + 1)
        for (outcome, cache) in [("active", "miss"), ("active", "hit"), ("inactive", "miss")] {
            let labels = ["outcome=\"\(outcome)\"", "cache=\"\(cache)\""]
            #expect(after["introspections_total", labels] >= before["introspections_total", labels] + 1, "\(labels)")
        }
        try await eventually(within: .seconds(2), "the revocation is counted, and how long it took to be heard of") {
            let now = try await Metrics(platform.stack.authURL)
            return now["revocations_total", "kind=\"jti\""] > before["revocations_total", "kind=\"jti\""]
                && now["revocation_delay_seconds_count"] > before["revocation_delay_seconds_count"]
        }
    }

    // MARK: Second factor

    private func code(_ secret: String, offset: Int = 0) async throws -> String {
        let answer = try await Outside(
            script: "totp.py", ["secret": .string(secret), "time": .int(Int(Date().timeIntervalSince1970) + offset)]
        ).next()
        guard let code = answer["code"].string else { throw Surprise("no code: \(answer)") }
        return code
    }

    @Test func aSecondFactorIsAskedForAndARecoveryCodeHelps() async throws {
        let begun = try await alice.client.post("/api/v1/auth/totp", ["password": .string(alice.password)]).json(201)
        let secret = try #require(begun["secret"].string)
        #expect(begun["otpauth_uri"].string?.contains(secret) == true)
        #expect(try await platform.logIn(alice.email, alice.password).status == 200, "not yet")
        #expect(try await alice.client.post("/api/v1/auth/totp/confirm", ["code": "000000"]).status == 422)
        let confirmed = try await alice.client.post(
            "/api/v1/auth/totp/confirm", ["code": .string(code(secret, offset: -30))]
        ).json(200)
        let recovery = confirmed["recovery_codes"].strings
        #expect(recovery.count == 10 && Set(recovery).count == 10)

        #expect(try await platform.logIn(alice.email, alice.password).code == "totp_required")
        #expect(try await platform.logIn(alice.email, "wrong").code == "invalid_credentials")
        let audit = "/api/v1/auth/audit?action=login.failed&target=\(escaped(alice.email))"
        let reasons = try await platform.hoster.get(audit).json(200)["items"].items.map { $0["detail"]["reason"] }
        #expect(reasons.contains("totp_required"), "somebody knows the password")
        let now = try await code(secret)
        let source = "203.0.113.77"
        #expect(try await logIn(alice.email, alice.password, from: source, totp: "123").code == "totp_invalid")
        #expect(try await logIn(alice.email, alice.password, from: source, totp: now).status == 200)
        #expect(try await logIn(alice.email, alice.password, from: source, totp: now).code == "totp_invalid", "once")
        #expect(try await logIn(alice.email, alice.password, from: source, totp: recovery[0]).status == 200)
        #expect(try await logIn(alice.email, alice.password, from: source, totp: recovery[0]).code == "totp_invalid")
        let status = try await alice.client.get("/api/v1/auth/totp").json(200)
        #expect(status["enabled"] == true && status["recovery_codes_left"] == 9)

        #expect(try await alice.canLogInToIMAP(.password(alice.password)) == false, "IMAP could not ask for it")
        let bare: JSON = ["name": "Phone", "password": .string(alice.password)]
        let refused = try await alice.client.post("/api/v1/auth/app-passwords", bare)
        #expect(refused.status == 401 && refused.code == "totp_required", "\(refused.text)")
        let app = try await alice.appPassword(code: recovery[3])
        #expect(try await alice.canLogInToIMAP(.password(app["password"].string ?? "")))

        let visitor = PageVisitor(platform)
        try await visitor.get(OAuthProgram(platform: platform).authorizePath())
        try await visitor.submit(["email": alice.email, "password": alice.password])
        #expect(visitor.heading == "Enter your code")
        try await visitor.submit(["mailbox": alice.email, "decision": "allow", "code": "000000"])
        #expect(visitor.status == 401 && visitor.location == nil)
        try await visitor.submit(["code": recovery[1]])
        #expect(visitor.heading == "Allow Mutt to use your mailbox?")

        let proof: JSON = ["password": .string(alice.password), "code": .string(recovery[2])]
        #expect(try await alice.client.send(.DELETE, "/api/v1/auth/totp", proof).status == 204)
        for (method, path): (HTTPMethod, String) in [(.DELETE, ""), (.POST, "/recovery-codes")] {
            let off = try await alice.client.send(method, "/api/v1/auth/totp" + path, proof)
            #expect(off.status == 409 && off.code == "totp_not_enabled", "\(off.text)")
        }
        #expect(try await platform.logIn(alice.email, alice.password).status == 200)
    }

    @Test func codesOfANewSecretAreNotGuessed() async throws {
        _ = try await alice.client.post("/api/v1/auth/totp", ["password": .string(alice.password)]).json(201)
        var statuses: [Int] = []
        for _ in 0..<21 {
            statuses.append(try await alice.client.post("/api/v1/auth/totp/confirm", ["code": "x"]).status)
        }
        #expect(statuses == [Int](repeating: 422, count: 20) + [429])
    }

    private func enableSecondFactor(_ client: Client, password: String) async throws {
        let begun = try await client.post("/api/v1/auth/totp", ["password": .string(password)]).json(201)
        let now = try await code(begun["secret"].string ?? "")
        _ = try await client.post("/api/v1/auth/totp/confirm", ["code": .string(now)]).json(200)
    }

    @Test func whoLostTheSecondFactorIsLetInAgainByTheHoster() async throws {
        try await enableSecondFactor(alice.client, password: alice.password)
        #expect(try await platform.logIn(alice.email, alice.password).code == "totp_required")
        let path = "/api/v1/auth/totp?email=\(escaped(alice.email))"
        #expect(try await platform.newTenant().newUser("admin").client.delete(path).status == 404)
        #expect(try await tenant.newUser("member", accounts: [alice.email]).client.delete(path).status == 403)
        #expect(try await alice.client.delete(path).status == 403, "not by a stolen token")
        #expect(try await platform.hoster.delete(path).status == 204)
        #expect(try await platform.logIn(alice.email, alice.password).status == 200)
        #expect(try await platform.hoster.delete(path).status == 404, "there is none any more")
        let audit = "/api/v1/auth/audit?action=totp.reset&target=\(escaped(alice.email))"
        #expect(try await platform.hoster.get(audit).json(200)["total"] == 1)

        let password = "a person's password", email = "\(unique("person"))@people.test"
        let user = try await platform.hoster.post(
            "/api/v1/users",
            [
                "customer_id": .int(tenant.customerID), "email": .string(email), "password": .string(password),
                "role": "member",
            ]
        ).json(201)
        let session = try await platform.logIn(email, password).json(200)
        let person = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        try await enableSecondFactor(person, password: password)
        #expect(try await platform.logIn(email, password).code == "totp_required")
        let reset = try await Launch("auth-server", of: platform).output([
            "reset-totp", "--user", "\(user["id"].int ?? 0)",
        ])
        #expect(reset.status == 0, "\(reset.text)")
        #expect(try await platform.logIn(email, password).status == 200)
        #expect(try await platform.hoster.delete("/api/v1/users/\(user["id"].int ?? 0)/totp").status == 404)
    }

    // MARK: Sessions

    @Test func aSessionIsMadeByLoggingIn() async throws {
        let body: JSON = ["email": .string(alice.email), "password": .string(alice.password)]
        let session = try await platform.stranger.post("/api/v1/auth/sessions", body).json(201)
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        #expect(try await client.get("/api/v1/auth/sessions").json(200)["total"] == 2)
        let wrong = body.with("password", "wrong")
        #expect(try await platform.stranger.post("/api/v1/auth/sessions", wrong).code == "invalid_credentials")
    }

    @Test func sessionsAreListedAndEndedOneByOne() async throws {
        let other = try await platform.logIn(alice.email, alice.password).json(200)
        let theirs = platform.stranger.with(.bearer(other["access_token"].string ?? ""))
        let list = try await alice.client.get("/api/v1/auth/sessions").json(200)
        #expect(list["total"] == 2 && list["items"].items.allSatisfy { $0["ip"] == "127.0.0.1" })
        let newest = try #require(list["items"][0]["id"].string)
        #expect(try await alice.client.delete("/api/v1/auth/sessions/\(newest)").status == 204)
        #expect(try await theirs.get("/api/v1/auth/sessions").status == 401)
        let refresh: JSON = ["refresh_token": other["refresh_token"]]
        #expect(try await platform.stranger.post("/api/v1/auth/refresh", refresh).status == 401)
        #expect(try await alice.client.get("/api/v1/auth/sessions").json(200)["total"] == 1)
        let bob = try await tenant.newMailbox(unique("bob"))
        let mine = try await alice.client.get("/api/v1/auth/sessions").json(200)["items"][0]["id"].string ?? ""
        #expect(try await bob.client.delete("/api/v1/auth/sessions/\(mine)").status == 404)
        #expect(try await bob.client.delete("/api/v1/auth/sessions/%C3%BC").status == 404)
        #expect(try await bob.client.get("/api/v1/auth/sessions?email=\(alice.email)").status == 404)
        #expect(try await platform.hoster.get("/api/v1/auth/sessions?email=\(alice.email)").json(200)["total"] == 1)
        #expect(try await alice.client.delete("/api/v1/auth/sessions").status == 204)
        #expect(try await alice.client.get("/api/v1/auth/sessions").status == 401)
    }

    // MARK: App passwords

    @Test func anAppPasswordOpensWhatItIsFor() async throws {
        let made = try await alice.appPassword("Old phone", scope: "imap")
        let password = try #require(made["password"].string)
        #expect(try await alice.canLogInToIMAP(.password(password)))
        let submission = try await alice.submit(.password(password), to: alice.email)
        #expect(submission["stage"] == "login", "it may not send: \(submission)")
        let listed = try await alice.client.get("/api/v1/auth/app-passwords").json(200)["items"][0]
        #expect(listed["name"] == "Old phone" && listed["last_used_at"].string != nil)
        #expect(listed["last_used_ip"] == "127.0.0.1" && listed["password"] == .null)

        let bob = try await tenant.newMailbox(unique("bob"))
        #expect(try await bob.canLogInToIMAP(.password(password)) == false, "another's mailbox")
        #expect(try await bob.client.delete("/api/v1/auth/app-passwords/\(made["id"].int ?? 0)").status == 404)
        #expect(
            try await bob.client.post(
                "/api/v1/auth/app-passwords",
                ["name": "x", "email": .string(alice.email), "password": .string(bob.password)]
            ).status == 404)
        #expect(try await platform.logIn(alice.email, password).code == "invalid_credentials", "no way into the API")

        let both = try await alice.appPassword("Laptop")
        let other = try #require(both["password"].string)
        #expect(try await alice.submit(.password(other), to: alice.email)["accepted"] == true)
        let held = try await alice.holdIMAP(.password(password), seconds: 30)
        #expect(try await alice.client.delete("/api/v1/auth/app-passwords/\(made["id"].int ?? 0)").status == 204)
        #expect(try await alice.canLogInToIMAP(.password(password)) == false)
        #expect(try await held.next()["ended"] != .null, "and what it had open ends")
        #expect(try await alice.canLogInToIMAP(.password(other)), "the other one lives on")
        _ = try await platform.hoster.put(alice.accountRoute(), ["password": "another password"]).json(200)
        #expect(try await alice.canLogInToIMAP(.password(other)) == false, "a new password ends them all")
    }

    /// Whoever got hold of an access token cannot make something of it that lasts.
    @Test func anAppPasswordWantsThePassword() async throws {
        let body: JSON = ["name": "x", "password": "guess"]
        let wrong = try await alice.client.post("/api/v1/auth/app-passwords", body)
        #expect(wrong.status == 401 && wrong.code == "invalid_credentials", "\(wrong.text)")
        let panel = try await platform.hoster.post(
            "/api/v1/auth/app-passwords", ["name": "x", "email": .string(alice.email)])
        #expect(panel.status == 201, "a service token has none: \(panel.text)")
    }

    @Test func anAppPasswordEndsWithWhoMadeIt() async throws {
        let admin = try await tenant.newUser("admin")
        let body: JSON = [
            "name": "x", "email": .string(alice.email), "password": .string(admin.password),
        ]
        let made = try await admin.client.post("/api/v1/auth/app-passwords", body).json(201)
        let password = made["password"].string ?? ""
        #expect(try await platform.introspect(password).json["active"] == true)
        let held = try await alice.holdIMAP(.password(password), seconds: 20)
        _ = try await platform.hoster.post("/api/v1/users/\(admin.id)/suspend").json(200)
        #expect(try await platform.introspect(password).json == ["active": false], "at once, remembered or not")
        #expect(try await held.next()["ended"] != .null)
        _ = try await platform.hoster.post("/api/v1/users/\(admin.id)/unsuspend").json(200)
        #expect(try await platform.introspect(password).json == ["active": false])
    }

    @Test func loggingOutEverywhereEndsAppPasswords() async throws {
        let password = try await alice.appPassword()["password"].string ?? ""
        #expect(try await platform.introspect(password).json["active"] == true)
        #expect(try await alice.client.delete("/api/v1/auth/sessions").status == 204)
        #expect(try await platform.introspect(password).json == ["active": false])
    }

    @Test func badAppPasswordsAreRefusedByField() async throws {
        for (body, field): (JSON, String) in [
            (["name": ""], "name"), (["name": "x", "scope": "root"], "scope"),
            (["name": "x", "expires_at": "yesterday"], "expires_at"), (["name": "x", "nmae": "y"], "nmae"),
            (["name": "x"], "password"),
        ] {
            let refused = try await alice.client.post("/api/v1/auth/app-passwords", body)
            #expect(refused.status == 422 && refused.faultyFields == [field], "\(body): \(refused.text)")
        }
    }
}
