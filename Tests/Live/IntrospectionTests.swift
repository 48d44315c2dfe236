import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// What Dovecot is told about a token (RFC 7662), and by whom it may be asked.
@Suite(.timeLimit(.minutes(2))) struct IntrospectionTests {
    static let route = "/api/v1/auth/token/introspect"
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
    }

    /// The whole answer of a token that does not count: the status, and this object exactly.
    private func expectInactive(
        _ token: String, _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation
    )
        async throws
    {
        let reply = try await platform.introspect(token)
        #expect(reply.status == 200, what, sourceLocation: sourceLocation)
        #expect(reply.json == ["active": false], what, sourceLocation: sourceLocation)
    }

    @Test func aMailTokenIsActiveAndSaysWhose() async throws {
        let granted = try await alice.client.post("/api/v1/auth/mail-token").json(200)
        #expect(granted["email"].string == alice.email && granted["token_type"] == "Bearer")
        #expect(granted["expires_in"] == 3600)
        let now = Int(Date().timeIntervalSince1970)
        let answer = try await platform.introspect(try #require(granted["access_token"].string)).json(200)
        #expect(answer["active"] == true && answer["username"].string == alice.email)
        #expect(answer["scope"] == "imap smtp" && answer["token_type"] == "Bearer")
        #expect(answer["sub"].string == "account:\(alice.id)" && answer["jti"].string?.isEmpty == false)
        #expect(abs((answer["iat"].int ?? 0) - now) <= 5)
        #expect(abs((answer["exp"].int ?? 0) - now - 3600) <= 5)
    }

    @Test func onlyThoseWithCredentialsMayAsk() async throws {
        let form = ["token": try await alice.mailToken()]
        let stack = platform.stack
        let strangers: [Client.Credentials] = [
            .none, .basic("dovecot:wrong"), .basic(":"), .basic("nonsense"), .bearer(alice.accessToken),
            .bearer(form["token"] ?? ""), .serviceToken("xs_wrong"),
        ]
        for credentials in strangers {
            let reply = try await Client(base: stack.authURL, credentials: credentials).postForm(Self.route, form)
            #expect([401, 403].contains(reply.status), "\(credentials)")
            #expect(reply.isCleanProblem && reply.json["active"] == .null && reply.json["username"] == .null)
            #expect(!reply.text.contains(alice.email), "Dovecot believes a username in any body")
        }
        let none = try await Client(base: stack.authURL).postForm(Self.route, form)
        #expect(none.status == 401 && none.headers["www-authenticate"]?.contains("Basic") == true)
        let service = Client(base: stack.authURL, credentials: .serviceToken(stack.serviceToken))
        #expect(try await service.postForm(Self.route, form).json(200)["active"] == true)
    }

    @Test func theFieldsThatDovecotAddsAreAccepted() async throws {
        let form = ["token": try await alice.mailToken(), "client_id": "", "client_secret": ""]
        #expect(try await platform.dovecot.postForm(Self.route, form).json(200)["active"] == true)
    }

    @Test func aServiceThatATokenIsNotForIsRefused() async throws {
        let token = try await alice.mailToken()
        for round in ["cold", "remembered"] {
            for (service, isActive): (String, JSON) in [("doveadm", false), ("imap", true), ("", true)] {
                let form = Data("token=\(token)".utf8)
                let reply = try await platform.dovecot.send(
                    .POST, Self.route, bytes: form, type: "application/x-www-form-urlencoded",
                    headers: [("X-Dovecot-Auth-Service", service)])
                #expect(try reply.json(200)["active"] == isActive, "\(service), \(round)")
            }
        }
    }

    @Test func twoCredentialsAreAmbiguousHoweverWellTheTokenIsKnown() async throws {
        let form = Data("token=\(try await alice.mailToken())".utf8)
        for _ in 0..<2 {
            let reply = try await platform.dovecot.send(
                .POST, Self.route, bytes: form, type: "application/x-www-form-urlencoded",
                headers: [("X-Service-Token", platform.stack.serviceToken)])
            #expect(reply.status == 400 && reply.code == "ambiguous_credentials", "\(reply.text)")
            _ = try await platform.dovecot.send(
                .POST, Self.route, bytes: form, type: "application/x-www-form-urlencoded")
        }
    }

    @Test func whatIsNoMailTokenIsInactiveAndNothingElse() async throws {
        for (token, what): (String, Comment) in [
            ("garbage", "garbage"), ("a.b.c", "three dots"),
            (String(repeating: "x", count: 9000), "long"), ("é\u{0}\r\n", "control characters"),
            (alice.accessToken, "an access token"), (platform.stack.serviceToken, "a service token"),
        ] { try await expectInactive(token, what) }
    }

    @Test func forgedAndExpiredTokensAreInactive() async throws {
        let token = try await alice.mailToken()
        let past = Int(Date().timeIntervalSince1970) - 120
        for (what, forgery): (String, JSON) in [
            ("expired two minutes ago", ["sign": "key", "claims": ["exp": .int(past), "iat": .int(past - 3600)]]),
            ("signed by a stranger", ["sign": "stranger"]),
            ("not signed", ["sign": "none", "header": ["alg": "none"]]),
            ("another algorithm named", ["sign": "keep", "header": ["alg": "HS256"]]),
            ("another name under the old signature", ["sign": "keep", "claims": ["email": "root@example.test"]]),
            ("another issuer", ["sign": "key", "claims": ["iss": "https://elsewhere.example"]]),
            ("another audience", ["sign": "key", "claims": ["aud": "platform"]]),
            ("another type", ["sign": "key", "claims": ["type": "access"]]),
            ("a mailbox that does not exist", ["sign": "key", "claims": ["email": "nobody@nowhere.test"]]),
            ("an unknown key", ["sign": "key", "header": ["kid": "unknown"]]),
            ("a list of keys", ["sign": "key", "header": ["kid": ["a", "b"]]]),
            ("the key in a file", ["sign": "stranger", "header": ["kid": "../../../../../../dev/null"]]),
            ("with an extension we must know", ["sign": "key", "header": ["crit": ["exp"]]]),
            ("brings its key along", ["sign": "embedded"]),
            ("brings its key along, named as ours", ["sign": "embedded", "header": ["alg": "ES256"]]),
            ("says where its key is", ["sign": "stranger", "header": ["jku": "http://127.0.0.1:9/jwks.json"]]),
            ("HMAC with the public key in PEM", ["sign": "hmac", "secret": "pem", "header": ["alg": "HS256"]]),
            ("HMAC with the public JWK", ["sign": "hmac", "secret": "jwk", "header": ["alg": "HS256"]]),
            ("HMAC with the key set", ["sign": "hmac", "secret": "jwks", "header": ["alg": "HS256"]]),
            ("HMAC with the point", ["sign": "hmac", "secret": "point", "header": ["alg": "HS256"]]),
            ("HMAC under the name of ES256", ["sign": "hmac", "secret": "pem"]),
        ] {
            let forged = try await forge(token, forgery)
            try await expectInactive(forged, "\(what)")
            if forgery["sign"] != "hmac" {
                #expect(try await alice.canLogInToIMAP(.xoauth2(forged)) == false, "\(what)")
            }
        }
        // The forger's tools make good tokens when nothing is changed: the refusals above are not their fault.
        let faithful = try await forge(token, ["sign": "key"])
        #expect(try await platform.introspect(faithful).json(200)["active"] == true)
    }

    private func forge(_ token: String, _ change: JSON) async throws -> String {
        let forged = try await Outside(
            script: "forge.py",
            [
                "token": .string(token), "key": .string(platform.stack.state + "/keys/master.key"),
                "database": [
                    "socket": .string(platform.stack.database.socket), "user": .string(platform.stack.database.user),
                    "password": .string(platform.stack.database.password),
                    "name": .string(platform.stack.database.name),
                ],
                "sign": change["sign"], "secret": change["secret"],
                "jwk": try await platform.stranger.get("/.well-known/jwks.json").json(200)["keys"][0],
                "claims": change["claims"] == .null ? [:] : change["claims"],
                "header": change["header"] == .null ? [:] : change["header"],
            ]
        ).next()
        guard let token = forged["token"].string else { throw Surprise("nothing forged") }
        return token
    }

    @Test func aRevokedTokenIsInactiveAndAnotherLivesOn() async throws {
        let one = try await alice.mailToken(), two = try await alice.mailToken()
        #expect(try await platform.introspect(one).json(200)["active"] == true)
        let revoked = try await alice.client.postForm("/api/v1/auth/token/revoke", ["token": one])
        #expect(revoked.status == 200, "\(revoked.text)")
        try await expectInactive(one, "revoked")
        #expect(try await platform.introspect(two).json(200)["active"] == true)
        #expect(try await alice.canLogInToIMAP(.xoauth2(one)) == false)
        #expect(try await platform.stranger.postForm("/api/v1/auth/token/revoke", ["token": "unknown"]).status == 200)
    }

    @Test func revokingAMailboxKillsAllThatWasIssuedBeforeNow() async throws {
        let old = try await alice.mailToken()
        #expect(try await platform.introspect(old).json(200)["active"] == true)
        let reply = try await platform.hoster.post("/api/v1/auth/revocations", ["email": .string(alice.email)])
        #expect(reply.status == 201, "\(reply.text)")
        try await expectInactive(old, "issued before the revocation")
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 401)
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        let fresh = try await client.post("/api/v1/auth/mail-token").json(200)["access_token"].string ?? ""
        #expect(try await platform.introspect(fresh).json(200)["active"] == true)
    }

    @Test func aRefreshTokenWorksOnceAndItsReuseEndsTheSession() async throws {
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        let first: JSON = ["refresh_token": session["refresh_token"]]
        let renewed = try await platform.stranger.post("/api/v1/auth/refresh", first).json(200)
        let client = platform.stranger.with(.bearer(renewed["access_token"].string ?? ""))
        #expect(try await client.get("/api/v1/mail/webmail/folders").status == 200)
        #expect(try await platform.stranger.post("/api/v1/auth/refresh", first).status == 401)
        let second: JSON = ["refresh_token": renewed["refresh_token"]]
        #expect(try await platform.stranger.post("/api/v1/auth/refresh", second).status == 401)
        try await eventually(within: .seconds(2), "the family's access token is dead") {
            try await client.get("/api/v1/mail/webmail/folders").status == 401
        }
    }

    @Test func logoutEndsTheSessionEverywhere() async throws {
        let token = try await alice.mailToken()
        #expect(try await alice.client.post("/api/v1/auth/logout").status == 204)
        try await expectInactive(token, "its session was ended")
        try await eventually(within: .seconds(1), "the access token is refused by every service") {
            let folders = try await alice.client.get("/api/v1/mail/webmail/folders").status
            let status = try await alice.client.get("/api/v1/mail/watcher/status").status
            return folders == 401 && status == 401
        }
    }

    @Test func theKeySetAndTheMetadataArePublic() async throws {
        let keys = try await platform.stranger.get("/.well-known/jwks.json").json(200)["keys"].items
        let key = try #require(keys.first)
        #expect(key["kty"] == "EC" && key["crv"] == "P-256" && key["alg"] == "ES256" && key["d"] == .null)
        let metadata = try await platform.stranger.get("/.well-known/oauth-authorization-server").json(200)
        #expect(metadata["issuer"].string == platform.stack.gatewayURL)
    }

    @Test func aWrongPasswordAndAnUnknownAddressAreToldAlike() async throws {
        let wrong = try await platform.logIn(alice.email, "not the password")
        let unknown = try await platform.logIn("nobody@\(tenant.domain)", "not the password")
        #expect(wrong.status == 401 && wrong.code == "invalid_credentials" && wrong.isCleanProblem)
        #expect(wrong.json.without("request_id") == unknown.json.without("request_id"))
    }
}
