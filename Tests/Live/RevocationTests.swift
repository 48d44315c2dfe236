import Foundation
import Testing

/// Every way to end tokens before their time ends what they opened as well.
@Suite(.timeLimit(.minutes(2))) struct RevocationTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
    }

    private func expectEnd(
        of session: Outside, since moment: Date, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        guard case .double(let ended) = try await session.next()["ended"] else {
            Issue.record("the session was not ended", sourceLocation: sourceLocation)
            return
        }
        #expect(ended - moment.timeIntervalSince1970 < 1, sourceLocation: sourceLocation)
    }

    private func revokeToken(_ fields: [String: String]) async throws -> Reply {
        try await platform.stranger.postForm("/api/v1/auth/token/revoke", fields)
    }

    @Test func whoHoldsAMailTokenEndsItAndItsConnections() async throws {
        let token = try await alice.mailToken(), other = try await alice.mailToken()
        let held = try await alice.holdIMAP(.xoauth2(token), seconds: 30)
        #expect(try await revokeToken(["token": token, "token_type_hint": "access_token"]).status == 200)
        let moment = Date()
        try await expectEnd(of: held, since: moment)
        #expect(try await platform.introspect(token).json == ["active": false])
        #expect(try await platform.introspect(other).json["active"] == true, "another token goes on")
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 200)
    }

    @Test func logoutEndsTheConnectionsOfTheSessionsMailTokens() async throws {
        let token = try await alice.mailToken()
        let held = try await alice.holdIMAP(.oauthBearer(token), seconds: 30)
        let stream = try await EventStream(alice.client)
        #expect(try await alice.client.post("/api/v1/auth/logout").status == 204)
        let moment = Date()
        try await expectEnd(of: held, since: moment)
        #expect(try await platform.introspect(token).json == ["active": false])
        try await eventually(within: .seconds(1), "the WebSocket is closed with 4401") {
            await stream.closeCode == 4401
        }
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 401)
    }

    @Test func aRefreshTokenEndsItsSession() async throws {
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        let refresh = session["refresh_token"].string ?? ""
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        #expect(try await revokeToken(["token": refresh, "token_type_hint": "access_token"]).status == 200)
        #expect(try await client.get("/api/v1/auth/sessions").status == 401)
        #expect(
            try await platform.stranger.post("/api/v1/auth/refresh", ["refresh_token": .string(refresh)]).status == 401)
        #expect(try await revokeToken(["token": refresh]).status == 200, "again")
    }

    @Test func aPersonEndsAllItsOwnSessions() async throws {
        let member = try await tenant.newUser("member", accounts: [alice.email])
        let other = try await tenant.newUser("member")
        let token = try await member.client.post("/api/v1/auth/mail-token").json(200)["access_token"].string ?? ""
        let held = try await alice.holdIMAP(.xoauth2(token), seconds: 30)
        let foreign = try await member.client.post("/api/v1/auth/revocations", ["user_id": .int(other.id)])
        #expect([403, 404].contains(foreign.status), "\(foreign.text)")
        #expect([403, 404].contains(try await member.client.post("/api/v1/auth/revocations", ["jti": "x"]).status))
        let moment = Date()
        let own = try await member.client.post("/api/v1/auth/revocations", ["user_id": .int(member.id)])
        #expect(try own.json(201)["kind"] == "user")
        try await expectEnd(of: held, since: moment)
        #expect(try await member.client.get("/api/v1/auth/sessions").status == 401)
        #expect(try await other.client.get("/api/v1/auth/sessions").status == 200)
    }

    @Test func anAuthenticatedSMTPSessionIsCutOffAtItsNextMail() async throws {
        let bob = try await tenant.newMailbox("bob")
        let held = try await alice.holdSubmission(.password(alice.password), to: bob.email, seconds: 20)
        let untouched = try await bob.holdSubmission(.password(bob.password), to: bob.email, seconds: 4)
        _ = try await bob.arrival(of: "Again and again")
        let moment = Date()
        _ = try await platform.hoster.post("/api/v1/auth/revocations", ["email": .string(alice.email)]).json(201)
        let end = try await held.next()
        #expect(end["code"] == 421 && end["closed"] == true, "\(end)")
        if case .double(let ended) = end["ended"] {
            #expect(ended - moment.timeIntervalSince1970 < 1)
        } else {
            Issue.record("the SMTP session went on")
        }
        #expect(try await untouched.next()["ended"] == .null, "another mailbox's session goes on")
    }

    /// Who holds what is dead ends nothing with it: not a second time, and not what its owner has opened since.
    @Test func whatIsDeadIsNotRevokedAgain() async throws {
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        let token = try await client.post("/api/v1/auth/mail-token").json(200)["access_token"].string ?? ""
        let old = session["refresh_token"].string ?? ""
        let renewed = try await platform.stranger.post("/api/v1/auth/refresh", ["refresh_token": .string(old)]).json(
            200)
        let replay: JSON = ["refresh_token": .string(old)]
        #expect(try await platform.stranger.post("/api/v1/auth/refresh", replay).status == 401)
        #expect(try await platform.introspect(token).json == ["active": false], "the first replay ends the session")
        // Dovecot is told three times; what is opened afterwards is not meant.
        try await Task.sleep(for: .seconds(2))
        let held = try await alice.holdIMAP(.password(alice.password), seconds: 4)
        for dead in [old, renewed["refresh_token"].string ?? "", token, renewed["access_token"].string ?? ""] {
            #expect(try await revokeToken(["token": dead]).status == 200)
        }
        #expect(try await platform.stranger.post("/api/v1/auth/refresh", replay).status == 401)
        #expect(try await held.next()["ended"] == .null, "the session opened since goes on")
    }

    /// RFC 7009 §2.1, §2.2, §2.2.1
    @Test func revocationRequestsAreAnsweredAsTheirRFCSays() async throws {
        #expect(try await revokeToken(["token": "unknown"]).status == 200)
        #expect(try await revokeToken(["token": "xr_" + String(repeating: "A", count: 32)]).status == 200)
        let missing = try await revokeToken(["token_type_hint": "refresh_token"])
        #expect(missing.status == 400 && missing.json["error"] == "invalid_request", "\(missing.text)")
        let service = try await revokeToken(["token": "xs_" + String(repeating: "A", count: 32)])
        #expect(service.status == 400 && service.json["error"] == "unsupported_token_type", "\(service.text)")
    }
}
