import Foundation
import Testing

/// Whatever ends a token before its time ends the mail session that it opened, within a second.
@Suite(.timeLimit(.minutes(2))) struct RevocationCauseTests {
    enum Cause: String, CaseIterable {
        case refreshTokenShownAgain, codeShownAgain, refreshTokenRevoked, sessionEnded, logoutEverywhere
        case userSuspended, userDeleted, userPasswordChanged, userLostTheMailbox, serviceTokenDeleted
        case mailboxSuspended, mailboxPasswordChanged
    }

    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
    }

    @Test(arguments: Cause.allCases) func theLiveSessionEnds(cause: Cause) async throws {
        let (token, end) = try await opened(cause)
        #expect(try await platform.introspect(token).json["active"] == true)
        let held = try await alice.holdIMAP(.xoauth2(token), seconds: 10)
        let moment = Date()
        try await end()
        guard case .double(let ended) = try await held.next()["ended"] else {
            Issue.record("the session was not ended")
            return
        }
        // The call itself may take a while on a busy machine: a password is hashed in some of them.
        #expect(ended - moment.timeIntervalSince1970 < 2)
        #expect(try await platform.introspect(token).json == ["active": false])
    }

    private func expect(_ status: Int, _ reply: Reply) { #expect(reply.status == status, "\(reply.text)") }

    /// A mail token of alice's mailbox, and what ends it.
    private func opened(_ cause: Cause) async throws -> (token: String, end: () async throws -> Void) {
        switch cause {
        case .refreshTokenShownAgain, .refreshTokenRevoked, .sessionEnded, .logoutEverywhere:
            try await ofALogin(cause)
        case .codeShownAgain: try await ofAProgram()
        case .userSuspended, .userDeleted, .userPasswordChanged, .userLostTheMailbox: try await ofAUser(cause)
        case .serviceTokenDeleted: try await ofAServiceToken()
        case .mailboxSuspended:
            (
                try await alice.mailToken(),
                { _ = try await platform.hoster.post(alice.accountRoute("/suspend")).json(200) }
            )
        case .mailboxPasswordChanged:
            (
                try await alice.mailToken(),
                { _ = try await platform.hoster.put(alice.accountRoute(), ["password": "a new password"]).json(200) }
            )
        }
    }

    private func ofALogin(_ cause: Cause) async throws -> (String, () async throws -> Void) {
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        let token = try await client.post("/api/v1/auth/mail-token").json(200)["access_token"].string ?? ""
        let first = session["refresh_token"].string ?? ""
        func refresh(_ token: String) async throws -> Reply {
            try await platform.stranger.post("/api/v1/auth/refresh", ["refresh_token": .string(token)])
        }
        switch cause {
        case .refreshTokenShownAgain:
            let second = try await refresh(first).json(200)["refresh_token"].string ?? ""
            _ = try await refresh(second).json(200)
            return (token, { expect(401, try await refresh(first)) })
        case .refreshTokenRevoked:
            return (
                token,
                {
                    expect(
                        200, try await platform.stranger.postForm("/api/v1/auth/token/revoke", ["token": first]))
                }
            )
        case .sessionEnded:
            let list = "/api/v1/auth/sessions?email=\(escaped(alice.email))"
            let id = try await platform.hoster.get(list).json(200)["items"][0]["id"].string ?? ""
            return (
                token,
                {
                    let path = "/api/v1/auth/sessions/\(id)?email=\(escaped(alice.email))"
                    expect(204, try await platform.hoster.delete(path))
                }
            )
        default: return (token, { expect(204, try await client.delete("/api/v1/auth/sessions")) })
        }
    }

    private func ofAProgram() async throws -> (String, () async throws -> Void) {
        let program = OAuthProgram(platform: platform)
        let code = try await program.code(from: alice)
        let token = try await program.redeem(code).json(200)["access_token"].string ?? ""
        return (token, { expect(400, try await program.redeem(code)) })
    }

    private func ofAUser(_ cause: Cause) async throws -> (String, () async throws -> Void) {
        let user = try await tenant.newUser("member", accounts: [alice.email])
        let token = try await user.client.post("/api/v1/auth/mail-token").json(200)["access_token"].string ?? ""
        let path = "/api/v1/users/\(user.id)"
        return (
            token,
            {
                let reply =
                    switch cause {
                    case .userSuspended: try await platform.hoster.post(path + "/suspend")
                    case .userPasswordChanged: try await platform.hoster.put(path, ["password": "a new password"])
                    case .userLostTheMailbox: try await platform.hoster.patch(path, ["accounts": []])
                    default: try await platform.hoster.delete(path)
                    }
                #expect([200, 204].contains(reply.status), "\(reply.text)")
            }
        )
    }

    private func ofAServiceToken() async throws -> (String, () async throws -> Void) {
        let made = try await platform.hoster.post(
            "/api/v1/service-tokens", ["name": "short-lived", "scopes": ["auth:mail-token"]]
        ).json(201)
        let service = platform.stranger.with(.serviceToken(made["token"].string ?? ""))
        let token = try await service.post("/api/v1/auth/mail-token", ["email": .string(alice.email)]).json(200)
        return (
            token["access_token"].string ?? "",
            {
                expect(204, try await platform.hoster.delete("/api/v1/service-tokens/\(made["id"].int ?? 0)"))
            }
        )
    }
}
