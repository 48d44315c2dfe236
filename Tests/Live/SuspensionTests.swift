import Foundation
import Testing

/// A mailbox that is suspended, or whose password was changed, is closed at once: for new and for open sessions.
@Suite(.timeLimit(.minutes(2))) struct SuspensionTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
    }

    /// Asserts that the session's server ended it, at most a second after `moment`.
    private func expectEnd(
        of session: Outside, withinASecondOf moment: Date, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        guard case .double(let ended) = try await session.next()["ended"] else {
            Issue.record("the IMAP session was not ended", sourceLocation: sourceLocation)
            return
        }
        #expect(ended - moment.timeIntervalSince1970 < 1, sourceLocation: sourceLocation)
    }

    private func expectClosed(token: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually(within: .seconds(1), "the token is inactive", sourceLocation: sourceLocation) {
            try await platform.introspect(token).json == ["active": false]
        }
        for proof in [Mailbox.Proof.xoauth2(token), .password(alice.password)] {
            #expect(try await alice.canLogInToIMAP(proof) == false, sourceLocation: sourceLocation)
            let submission = try await alice.submit(proof, to: alice.email)
            #expect(submission["stage"] == "login", "\(submission)", sourceLocation: sourceLocation)
        }
    }

    @Test func suspensionClosesTheMailboxWithinASecondAndUnsuspensionOpensIt() async throws {
        let bob = try await tenant.newMailbox("bob")
        let token = try await alice.mailToken()
        let byToken = try await alice.holdIMAP(.xoauth2(token), seconds: 60)
        let byPassword = try await alice.holdIMAP(.password(alice.password), seconds: 60)
        let untouched = try await bob.holdIMAP(.password(bob.password), seconds: 60)
        let stream = try await EventStream(alice.client)

        let suspended = try await platform.hoster.post(alice.accountRoute("/suspend"))
        let moment = Date()
        #expect(suspended.status == 200 && suspended.json["status"] == "suspended", "\(suspended.text)")
        try await expectClosed(token: token)
        try await expectEnd(of: byToken, withinASecondOf: moment)
        try await expectEnd(of: byPassword, withinASecondOf: moment)
        try await eventually(within: .seconds(1), "the WebSocket is closed with 4401") {
            await stream.closeCode == 4401
        }
        #expect(await stream.events("session.revoked").count == 1)
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 401)
        #expect(try await platform.logIn(alice.email, alice.password).code == "account_suspended")
        #expect(try await platform.logIn(alice.email, "wrong").code == "invalid_credentials")
        #expect(untouched.isRunning, "another mailbox's session goes on")

        #expect(try await platform.hoster.post(alice.accountRoute("/unsuspend")).json(200)["status"] == "active")
        try await eventually(within: .seconds(1), "the password opens it again") {
            try await alice.canLogInToIMAP(.password(alice.password))
        }
        let session = try await platform.logIn(alice.email, alice.password).json(200)
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        #expect(try await client.get("/api/v1/mail/webmail/folders").status == 200)
    }

    @Test func mailToASuspendedMailboxWaitsAtTheSender() async throws {
        _ = try await platform.hoster.post(alice.accountRoute("/suspend")).json(200)
        let sender = "friend@elsewhere.example"
        let mail = plainMail(from: sender, to: alice.email, subject: "Wait")
        let refused = try await platform.deliver([mail], from: sender, to: alice.email)[0]
        #expect((400..<500).contains(refused["code"].int ?? 0), "deferred, so that the sender tries again: \(refused)")
        _ = try await platform.hoster.post(alice.accountRoute("/unsuspend")).json(200)
        #expect(try await platform.deliver([mail], from: sender, to: alice.email)[0]["accepted"] == true)
        try await eventually(within: .seconds(10), "the mail is there") {
            try await alice.imap(.password(alice.password), ["subjects", "INBOX"])[1].strings == ["Wait"]
        }
    }

    @Test func aSuspendedDomainClosesAllItsMailboxes() async throws {
        let token = try await alice.mailToken()
        let held = try await alice.holdIMAP(.xoauth2(token), seconds: 60)
        let domain = "/api/v1/mail/domains/\(tenant.domainID)"
        let reply = try await platform.hoster.post(domain + "/suspend")
        let moment = Date()
        #expect(try reply.json(200)["status"] == "suspended")
        try await expectClosed(token: token)
        try await expectEnd(of: held, withinASecondOf: moment)
        #expect(try await platform.hoster.post(domain + "/unsuspend").json(200)["status"] == "active")
        try await eventually(within: .seconds(1), "the password opens it again") {
            try await alice.canLogInToIMAP(.password(alice.password))
        }
    }

    @Test func aNewPasswordEndsAllThatTheOldOneOpened() async throws {
        let token = try await alice.mailToken()
        let held = try await alice.holdIMAP(.password(alice.password), seconds: 60)
        let stream = try await EventStream(alice.client)
        let changed = try await platform.hoster.put(alice.accountRoute(), ["password": "a new password"])
        let moment = Date()
        #expect(changed.status == 200 && !changed.text.contains("a new password"), "\(changed.text)")
        try await expectClosed(token: token)
        try await expectEnd(of: held, withinASecondOf: moment)
        try await eventually(within: .seconds(1), "the WebSocket is closed with 4401") {
            await stream.closeCode == 4401
        }
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 401)
        #expect(try await platform.logIn(alice.email, alice.password).status == 401)
        #expect(try await alice.canLogInToIMAP(.password("a new password")))
        let session = try await platform.logIn(alice.email, "a new password").json(200)
        let client = platform.stranger.with(.bearer(session["access_token"].string ?? ""))
        let fresh = try await client.post("/api/v1/auth/mail-token").json(200)["access_token"].string ?? ""
        #expect(try await alice.canLogInToIMAP(.xoauth2(fresh)))
        #expect(try await client.get("/api/v1/mail/webmail/folders").status == 200)
    }

    @Test func theAPIStopsServingASuspendedMailboxToItsUserAsWell() async throws {
        let user = try await tenant.newUser("member", accounts: [alice.email]).client
        #expect(try await user.get("/api/v1/mail/webmail/folders").status == 200)
        _ = try await platform.hoster.post(alice.accountRoute("/suspend")).json(200)
        try await eventually(within: .seconds(1), "the warm session is no way in") {
            try await user.get("/api/v1/mail/webmail/folders").status >= 400
        }
        #expect(try await user.post("/api/v1/auth/mail-token").status >= 400)
    }
}
