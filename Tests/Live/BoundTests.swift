import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// What strangers may do only so often, and only for so long.
@Suite(.timeLimit(.minutes(2))) struct BoundTests {
    let platform: Platform
    /// An address nobody else has.
    let source = "198.18.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"

    init() throws { platform = try Platform() }

    /// At auth-server itself, which believes what a proxy on this machine says of the client.
    private func post(_ path: String, _ fields: [String: String], from source: String? = nil) async throws -> Reply {
        let form = fields.map { "\($0.key)=\(escaped($0.value))" }.joined(separator: "&")
        return try await Client(base: platform.stack.authURL).send(
            .POST, path, bytes: Data(form.utf8), type: "application/x-www-form-urlencoded",
            headers: [("X-Forwarded-For", source ?? self.source)])
    }

    private func register(from source: String? = nil) async throws -> Reply {
        try await Client(base: platform.stack.authURL).send(
            .POST, "/oauth2/register", ["redirect_uris": ["http://127.0.0.1/"], "client_name": "Bound Test"],
            headers: [("X-Forwarded-For", source ?? self.source)])
    }

    @Test func anAddressRegistersTwentyClientsAnHour() async throws {
        for _ in 0..<20 { _ = try await register().json(201) }
        let refused = try await register()
        #expect(refused.status == 429 && refused.code == "too_many_registrations" && refused.isCleanProblem)
        #expect(refused.headers["retry-after"] != nil)
        #expect(try await register(from: "198.19.0.\(Int.random(in: 1...254))").status == 201, "others may")
    }

    @Test func twentyDevicesOfAnAddressWaitAtOnce() async throws {
        for _ in 0..<20 { _ = try await post("/oauth2/device", ["client_id": "isync"]).json(200) }
        let refused = try await post("/oauth2/device", ["client_id": "isync"])
        #expect(refused.status == 429 && refused.code == "too_many_devices" && refused.isCleanProblem)
        let elsewhere = "198.19.1.\(Int.random(in: 1...254))"
        #expect(try await post("/oauth2/device", ["client_id": "isync"], from: elsewhere).status == 200)
    }

    @Test func anAddressTriesThirtyUserCodes() async throws {
        let visitor = PageVisitor(platform)
        visitor.base = platform.stack.authURL
        visitor.extraHeaders = [("X-Forwarded-For", source)]
        try await visitor.get("/oauth2/device")
        for _ in 0..<30 {
            try await visitor.submit(["user_code": "BCDF-GHJK"])
            #expect(visitor.status == 400)
        }
        try await visitor.submit(["user_code": "BCDF-GHJK"])
        #expect(visitor.status == 429 && visitor.headers.first(name: "retry-after") == "600")
    }

    /// RFC 8628 §3.5: five seconds more each time, for this and all that follow.
    @Test func aHastyDeviceWaitsLongerEachTime() async throws {
        let code = try await post("/oauth2/device", ["client_id": "isync"]).json(200)["device_code"].string ?? ""
        func poll() async throws -> String? {
            try await post(
                "/oauth2/token",
                [
                    "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code,
                    "client_id": "isync",
                ]
            ).json["error"].string
        }
        #expect(try await poll() == "authorization_pending")
        #expect(try await poll() == "slow_down")
        #expect(try await poll() == "slow_down")
        let interval = "SELECT interval_seconds FROM device_codes WHERE device_hash = SHA2('\(code)', 256)"
        #expect(try await platform.sql(interval) == ["15"])
        // Time passes: the interval was kept this time.
        try await platform.sql(
            "UPDATE device_codes SET last_polled_at = last_polled_at - 15000 WHERE device_hash = SHA2('\(code)', 256)")
        #expect(try await poll() == "authorization_pending")
        try await platform.sql("UPDATE device_codes SET expires_at = 1 WHERE device_hash = SHA2('\(code)', 256)")
        #expect(try await poll() == "expired_token")
    }

    /// What each person makes must be remembered, should it be revoked: by whichever way it is made.
    @Test func aPersonMakesSoManyTokensAnHour() async throws {
        let program = OAuthProgram(platform: platform)
        let alice = try await platform.commonTenant().newMailbox(unique("alice"))
        let refresh = try await program.redeem(program.code(from: alice)).json(200)["refresh_token"].string ?? ""
        let code = try await program.code(from: alice)
        let login = try await platform.logIn(alice.email, alice.password).json(200)["refresh_token"]
        for kind in ["mail_token", "access_token"] {
            try await redis("SET", "count.\(kind).account:\(alice.id)", "1000")
        }
        let direct = try await alice.client.post("/api/v1/auth/mail-token")
        #expect(direct.status == 429 && direct.code == "too_many_mail_tokens" && direct.isCleanProblem)
        #expect(try await program.redeem(code).code == "too_many_mail_tokens")
        #expect(try await program.refresh(refresh).code == "too_many_mail_tokens")
        let again = try await platform.stranger.post("/api/v1/auth/refresh", ["refresh_token": login])
        #expect(again.status == 429 && again.code == "too_many_refreshes" && again.isCleanProblem)
        for kind in ["mail_token", "access_token"] { try await redis("DEL", "count.\(kind).account:\(alice.id)") }
        #expect(try await program.redeem(code).status == 200, "not used up")
        #expect(try await program.refresh(refresh).status == 200, "nor this")
        #expect(try await platform.stranger.post("/api/v1/auth/refresh", ["refresh_token": login]).status == 200)
    }

    private func redis(_ command: String...) async throws {
        // It takes no name for one that is empty.
        let url = platform.stack.redisURL.replacing("://:", with: "://default:")
        let client = try Outside(URL(filePath: "/usr/bin/redis-cli"), ["-e", "-u", url] + command)
        guard await client.status() == 0 else { throw Surprise("not done: \(command)") }
    }

    @Test func aMailboxHasFiftyAppPasswords() async throws {
        let alice = try await platform.commonTenant().newMailbox(unique("alice"))
        let body: JSON = ["name": "Phone", "email": .string(alice.email)]
        for _ in 0..<50 { _ = try await platform.hoster.post("/api/v1/auth/app-passwords", body).json(201) }
        let refused = try await platform.hoster.post("/api/v1/auth/app-passwords", body)
        #expect(refused.status == 409 && refused.code == "too_many_app_passwords" && refused.isCleanProblem)
    }

    @Test func whoHasNoMailboxGetsNoMailToken() async throws {
        let member = try await platform.commonTenant().newUser("member").client
        let refused = try await member.post("/api/v1/auth/mail-token")
        #expect(refused.status == 409 && refused.code == "no_active_mailbox" && refused.isCleanProblem)
    }

    @Test(arguments: ["/oauth2/token", "/oauth2/device", "/api/v1/auth/token/revoke"])
    func aFormOfAnyLengthIsRefused(path: String) async throws {
        let reply = try await post(path, ["token": String(repeating: "x", count: 70_000), "client_id": "isync"])
        #expect(reply.status == 400 && reply.json["error"] == "invalid_request", "\(reply.text)")
    }

    @Test func aCodeIsGoodForAMinute() async throws {
        let program = OAuthProgram(platform: platform)
        let alice = try await platform.commonTenant().newMailbox(unique("alice"))
        let code = try await program.code(from: alice)
        try await platform.sql("UPDATE oauth_codes SET expires_at = 1 WHERE code_hash = SHA2('\(code)', 256)")
        #expect(try await program.redeem(code).json["error"] == "invalid_grant")
    }
}

extension Platform {
    /// The stack's database, for what only time would do; the rows, their columns separated by tabs.
    @discardableResult func sql(_ statement: String) async throws -> [String] {
        let database = stack.database
        let client = try Outside(
            URL(filePath: "/usr/bin/mariadb"),
            [
                "--no-defaults", "--socket=\(database.socket)", "--user=\(database.user)",
                "--password=\(database.password)", "--batch", "--skip-column-names", "-e", statement, database.name,
            ])
        let lines = await client.text()
        guard await client.status() == 0 else { throw Surprise("not done: \(statement)") }
        return lines
    }
}
