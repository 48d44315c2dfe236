import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Programs that people let into their mailbox: every grant, and every way to cheat at it.
@Suite(.timeLimit(.minutes(3))) struct OAuthTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let program: OAuthProgram

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
        program = OAuthProgram(platform: platform)
    }

    // MARK: Authorization code

    @Test func aCodeBecomesTokensThatOpenTheMailbox() async throws {
        let tokens = try await program.redeem(program.code(from: alice)).json(200)
        #expect(tokens["token_type"] == "Bearer" && tokens["expires_in"] == 3600)
        #expect(tokens["scope"] == "imap smtp" && tokens["email"].string == alice.email)
        let token = try #require(tokens["access_token"].string)
        #expect(try await alice.canLogInToIMAP(.xoauth2(token)))
        let introspected = try await platform.introspect(token).json(200)
        #expect(introspected["active"] == true && introspected["client_id"].string == program.clientID)
        let sessions = try await alice.client.get("/api/v1/auth/sessions").json(200)["items"].items
        #expect(sessions.contains { $0["client"] == "Mutt" && $0["mailbox"].string == alice.email })
        #expect(try await platform.stranger.with(.bearer(token)).get("/api/v1/auth/sessions").status == 401)
    }

    @Test func theAnswerNamesTheIssuerAndTheState() async throws {
        let visitor = PageVisitor(platform)
        try await visitor.get(program.authorizePath())
        #expect(visitor.status == 200 && visitor.heading == "Sign in to your mailbox")
        try await visitor.submit(["email": alice.email, "password": alice.password])
        #expect(visitor.heading == "Allow Mutt to use your mailbox?")
        try await visitor.submit(["mailbox": alice.email, "decision": "deny"])
        #expect(visitor.status == 303 && visitor.answered("error") == "access_denied")
        #expect(visitor.answered("state") == "a state" && visitor.answered("iss") == platform.stack.gatewayURL)
    }

    @Test func aCodeCountsOnceForItsClientItsPlaceAndItsVerifier() async throws {
        for change in [
            ["client_id": "isync"], ["redirect_uri": "http://127.0.0.1:49153/"],
            ["code_verifier": String(repeating: "x", count: 43)], ["code_verifier": "short"],
        ] {
            let refused = try await program.redeem(program.code(from: alice), change)
            #expect(refused.status == 400 && refused.json["error"] == "invalid_grant", "\(change): \(refused.text)")
        }
        let code = try await program.code(from: alice)
        let answers = try await withThrowingTaskGroup(of: Reply.self) { group in
            for _ in 0..<8 { group.addTask { try await program.redeem(code) } }
            return try await group.reduce(into: [Reply]()) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 200 }.count == 1)
        #expect(answers.filter { $0.json["error"] == "invalid_grant" }.count == 7)
        let won = try #require(answers.first { $0.status == 200 })
        let token = try #require(won.json["access_token"].string)
        #expect(try await platform.introspect(token).json == ["active": false], "somebody else had the code")
        let refresh = try #require(won.json["refresh_token"].string)
        #expect(try await program.refresh(refresh).json["error"] == "invalid_grant")
    }

    @Test func malformedTokenRequestsAreTold() async throws {
        let code = try await program.code(from: alice)
        for (fields, error): ([String: String], String) in [
            ([:], "invalid_request"), (["grant_type": "password"], "unsupported_grant_type"),
            (["grant_type": "authorization_code"], "invalid_request"),
            (["grant_type": "authorization_code", "code": code, "redirect_uri": "x"], "invalid_request"),
            (["grant_type": "refresh_token", "refresh_token": "xr_garbage"], "invalid_grant"),
            (["grant_type": "refresh_token", "client_id": "nobody", "refresh_token": "x"], "invalid_client"),
            (["grant_type": "refresh_token", "client_secret": "x", "refresh_token": "x"], "invalid_client"),
        ] {
            let reply = try await program.token(fields)
            #expect(reply.json["error"].string == error, "\(fields): \(reply.text)")
            #expect(reply.status == (error == "invalid_client" ? 401 : 400))
            #expect(reply.headers["cache-control"] == "no-store")
        }
        let twice = Data("grant_type=refresh_token&client_id=mutt&client_id=mutt&refresh_token=x".utf8)
        let repeated = try await platform.stranger.send(
            .POST, "/oauth2/token", bytes: twice, type: "application/x-www-form-urlencoded")
        #expect(repeated.status == 400 && repeated.json["error"] == "invalid_request")
        let wrongType = try await platform.stranger.post("/oauth2/token", ["grant_type": "refresh_token"])
        #expect(wrongType.status == 400 && wrongType.json["error"] == "invalid_request")
    }

    // MARK: Refresh

    @Test func aRefreshTokenCountsOnceAndItsReuseEndsTheSession() async throws {
        let first = try await program.redeem(program.code(from: alice)).json(200)
        let second = try await program.refresh(first["refresh_token"].string ?? "").json(200)
        let token = try #require(second["access_token"].string)
        #expect(try await platform.introspect(token).json["active"] == true)
        let reused = try await program.refresh(first["refresh_token"].string ?? "")
        #expect(reused.status == 400 && reused.json["error"] == "invalid_grant")
        #expect(try await platform.introspect(token).json == ["active": false])
        #expect(try await program.refresh(second["refresh_token"].string ?? "").json["error"] == "invalid_grant")
    }

    @Test func aRefreshTokenIsItsClientsAlone() async throws {
        let tokens = try await program.redeem(program.code(from: alice, scope: "imap")).json(200)
        let refresh = try #require(tokens["refresh_token"].string)
        #expect(tokens["scope"] == "imap")
        #expect(try await program.refresh(refresh, ["client_id": "isync"]).json["error"] == "invalid_grant")
        let platformLogin = try await platform.stranger.post(
            "/api/v1/auth/refresh", ["refresh_token": .string(refresh)])
        #expect(platformLogin.status == 401, "a mail program's token is no way into the platform")
        let wider = try await program.refresh(refresh, ["scope": "imap smtp"]).json(200)
        #expect(wider["scope"] == "imap", "no more than was allowed")
        let token = try #require(wider["access_token"].string)
        #expect(try await alice.canLogInToIMAP(.xoauth2(token)))
        let submission = try await alice.submit(.xoauth2(token), to: alice.email)
        #expect(submission["stage"] == "login", "imap alone does not send: \(submission)")
    }

    @Test func aRefusedScopeDoesNotUseTheRefreshTokenUp() async throws {
        let tokens = try await program.redeem(program.code(from: alice, scope: "imap")).json(200)
        let refresh = try #require(tokens["refresh_token"].string)
        #expect(try await program.refresh(refresh, ["scope": "smtp"]).json["error"] == "invalid_scope")
        #expect(try await program.refresh(refresh).json(200)["scope"] == "imap")
    }

    @Test func aSuspendedMailboxGetsNoTokens() async throws {
        let tokens = try await program.redeem(program.code(from: alice)).json(200)
        let code = try await program.code(from: alice)
        _ = try await platform.hoster.post(alice.accountRoute("/suspend")).json(200)
        #expect(try await program.redeem(code).json["error"] == "invalid_grant")
        #expect(try await program.refresh(tokens["refresh_token"].string ?? "").json["error"] == "invalid_grant")
    }

    // MARK: Device

    @Test func aDeviceIsLetInByItsCode() async throws {
        let asked = try await platform.stranger.postForm("/oauth2/device", ["client_id": "isync"]).json(200)
        let device = ["grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "isync"]
            .merging(["device_code": asked["device_code"].string ?? ""]) { $1 }
        #expect(try await program.token(device).json["error"] == "authorization_pending")
        #expect(try await program.token(device).json["error"] == "slow_down")
        #expect(try await program.token(device.merging(["client_id": "mutt"]) { $1 }).json["error"] == "invalid_grant")

        let visitor = PageVisitor(platform)
        visitor.extraHeaders = [("Accept-Language", "de-DE,de;q=0.9,en;q=0.5")]
        try await visitor.get("/oauth2/device")
        #expect(visitor.heading == "Gerät verbinden")
        try await visitor.submit(["user_code": "BCDF-GHJK"])
        #expect(visitor.status == 400 && visitor.problem != nil)
        try await visitor.submit(["user_code": (asked["user_code"].string ?? "").lowercased()])
        #expect(visitor.page.contains("127.0.0.1") && visitor.page.contains(asked["user_code"].string ?? "?"))
        try await visitor.submit(["email": alice.email, "password": alice.password])
        try await visitor.submit(["mailbox": alice.email, "decision": "allow"])
        #expect(visitor.heading == "Fertig")

        let tokens = try await program.token(device).json(200)
        #expect(try await alice.canLogInToIMAP(.xoauth2(tokens["access_token"].string ?? "")))
        #expect(try await program.token(device).json["error"] == "invalid_grant", "once")
    }

    @Test func aDeviceIsDenied() async throws {
        let asked = try await platform.stranger.postForm("/oauth2/device", ["client_id": "mutt"]).json(200)
        let visitor = PageVisitor(platform)
        try await visitor.get("/oauth2/device?user_code=\(asked["user_code"].string ?? "")")
        #expect(visitor.page.contains("value=\"\(asked["user_code"].string ?? "?")\""))
        try await visitor.submit(["user_code": asked["user_code"].string ?? ""])
        try await visitor.submit(["email": alice.email, "password": alice.password])
        try await visitor.submit(["decision": "deny"])
        #expect(visitor.heading == "Denied")
        let answer = try await program.token([
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": asked["device_code"].string ?? "",
        ])
        #expect(answer.json["error"] == "access_denied")
    }

    // MARK: Exchange

    @Test func anAccessTokenIsExchangedForAMailToken() async throws {
        let exchange = [
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": alice.accessToken,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        ]
        let issued = try await platform.stranger.postForm(
            "/oauth2/token", exchange.merging(["scope": "smtp", "resource": "mailto:\(alice.email)"]) { $1 }
        ).json(200)
        #expect(issued["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token")
        #expect(issued["scope"] == "smtp" && issued["refresh_token"] == .null)
        let token = try #require(issued["access_token"].string)
        #expect(try await alice.canLogInToIMAP(.xoauth2(token)) == false, "smtp alone does not read")
        let bob = try await tenant.newMailbox(unique("bob"))
        for (change, error) in [
            (["resource": "mailto:\(bob.email)"], "invalid_target"),
            (["resource": "https://x.example"], "invalid_target"),
            (["audience": "platform"], "invalid_target"), (["subject_token": token], "invalid_request"),
            (["subject_token": "garbage"], "invalid_request"), (["scope": "root"], "invalid_scope"),
            (["subject_token_type": "urn:ietf:params:oauth:token-type:saml2"], "invalid_request"),
        ] {
            let refused = try await platform.stranger.postForm("/oauth2/token", exchange.merging(change) { $1 })
            #expect(refused.status == 400 && refused.json["error"].string == error, "\(change): \(refused.text)")
        }
    }

    // MARK: Registration and metadata

    @Test func aPublicClientRegistersItself() async throws {
        let registered = try await platform.stranger.post(
            "/oauth2/register",
            [
                "client_name": "My mail program", "redirect_uris": ["http://127.0.0.1/cb"], "scope": "imap",
                "logo_uri": "https://x.example",
            ]
        ).json(201)
        #expect(registered["token_endpoint_auth_method"] == "none" && registered["client_secret"] == .null)
        #expect(registered["scope"] == "imap smtp", "what it may do, not what it asked for")
        #expect(registered["grant_types"].strings.count == 3 && registered["response_types"].strings == ["code"])
        var mine = program
        mine.clientID = try #require(registered["client_id"].string)
        mine.redirectURI = "http://127.0.0.1:6000/cb"
        #expect(try await mine.redeem(mine.code(from: alice)).status == 200)
        for (metadata, error): (JSON, String) in [
            (["redirect_uris": ["http://evil.example/"]], "invalid_redirect_uri"),
            (["client_name": "No place"], "invalid_redirect_uri"),
            (["redirect_uris": ["javascript:alert(1)"]], "invalid_redirect_uri"),
            (
                ["redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "client_secret_basic"],
                "invalid_client_metadata"
            ),
            (["redirect_uris": ["https://a.example/"], "client_name": "Thunderbird"], "invalid_client_metadata"),
            (["redirect_uris": ["https://a.example/"], "client_name": "a\u{202e}b"], "invalid_client_metadata"),
            (["redirect_uris": ["https://a.example/"], "grant_types": ["implicit"]], "invalid_client_metadata"),
            ([], "invalid_client_metadata"),
        ] {
            let refused = try await platform.stranger.post("/oauth2/register", metadata)
            #expect(refused.status == 400 && refused.json["error"].string == error, "\(metadata): \(refused.text)")
        }
    }

    /// One subscriber has 2^64 addresses.
    @Test func aNetworkRegistersAFewClientsAnHour() async throws {
        let network =
            "2001:db8:\(String(Int.random(in: 1...0xffff), radix: 16)):\(String(Int.random(in: 1...0xffff), radix: 16))"
        func register(_ host: Int) async throws -> Int {
            try await Client(base: platform.stack.authURL).send(
                .POST, "/oauth2/register", ["client_name": "x", "redirect_uris": ["http://127.0.0.1/"]],
                headers: [("X-Forwarded-For", "\(network)::\(String(host + 1, radix: 16))")]
            ).status
        }
        var statuses: [Int] = []
        for host in 0..<21 { statuses.append(try await register(host)) }
        #expect(statuses == [Int](repeating: 201, count: 20) + [429])
    }

    @Test func theMetadataNamesWhatIsThere() async throws {
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
            let metadata = try await platform.stranger.get(path).json(200)
            #expect(metadata["issuer"].string == platform.stack.gatewayURL)
            #expect(metadata["introspection_endpoint"] == .null, "it is not to be reached from outside")
            for (name, method) in [
                ("authorization_endpoint", "GET"), ("token_endpoint", "POST"), ("registration_endpoint", "POST"),
                ("device_authorization_endpoint", "POST"), ("revocation_endpoint", "POST"), ("jwks_uri", "GET"),
            ] {
                let url = try #require(metadata[name].string)
                let path = String(url.dropFirst(platform.stack.gatewayURL.count))
                let status =
                    method == "GET"
                    ? try await platform.stranger.get(path).status
                    : try await platform.stranger.postForm(path, [:]).status
                #expect(
                    url.hasPrefix(platform.stack.gatewayURL) && status != 404 && status != 405, "\(name): \(status)")
            }
        }
    }
}
