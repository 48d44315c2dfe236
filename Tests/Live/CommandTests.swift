import Foundation
import TestSupport
import Testing

/// What an operator does with auth-server at a shell.
@Suite(.timeLimit(.minutes(2))) struct CommandTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
        alice = try await tenant.newMailbox(unique("alice"))
    }

    private func run(_ arguments: String...) async throws -> (status: Int32, text: String) {
        try await Launch("auth-server", of: platform).output(arguments)
    }

    private func json(_ arguments: String...) async throws -> JSON {
        let (status, text) = try await Launch("auth-server", of: platform).output(
            arguments + ["--json"], showsErrors: false)
        guard status == 0 else { throw Surprise("\(arguments): \(text)") }
        return try JSON(parsing: Data(text.utf8))
    }

    @Test func aTokenIsMadeWithItsLimits() async throws {
        let name = unique("operator")
        let made = try await json(
            "create-token", "--name", name, "--scope", "mail:read", "--scope", "auth:mail-token", "--domain",
            tenant.domain, "--address", "someone@elsewhere.test", "--days", "2")[0]
        #expect(made["name"].string == name && made["scopes"] == "mail:read auth:mail-token")
        #expect(made["domains"].string == tenant.domain && made["addresses"] == "someone@elsewhere.test")
        let client = platform.stranger.with(.serviceToken(made["token"].string ?? ""))
        #expect(try await client.get("/api/v1/mail/domains").json(200)["items"].items.count == 1)
        let email: JSON = ["email": .string(alice.email)]
        #expect(try await client.post("/api/v1/auth/mail-token", email).status == 200)
        #expect(try await client.get("/api/v1/users").status == 403)
        let shown = try await platform.hoster.get("/api/v1/service-tokens/\(made["id"].string ?? "")").json(200)
        #expect(shown["name"].string == name && shown["expires_at"].string != nil)
        let audit = "/api/v1/auth/audit?action=service_token.created&target=service:\(made["id"].string ?? "")"
        #expect(try await platform.hoster.get(audit).json(200)["items"][0]["actor"] == "command")
        let plain = try await run("create-token", "--name", name, "--scope", "mail:read")
        #expect(
            plain.status == 0
                && plain.text.split(separator: "\n").contains { $0.hasPrefix("xs_") && $0.utf8.count == 35 },
            "\(plain.text)")
    }

    @Test func whatIsNoTokenIsRefused() async throws {
        for arguments in [
            ["--name", "x", "--scope", "mail:everything"], ["--name", "", "--scope", "mail:read"],
            ["--name", "x", "--scope", "people:write", "--domain", tenant.domain],
            ["--name", "x", "--domain", "not a domain"], ["--name", "x", "--address", "nobody"],
            ["--name", "x", "--days", "0"], [],
        ] {
            let (status, text) = try await Launch("auth-server", of: platform).output(["create-token"] + arguments)
            #expect(status != 0 && !text.contains("xs_"), "\(arguments): \(text)")
        }
    }

    @Test func theSessionsOfAMailboxAreAllShown() async throws {
        let user = try await tenant.newUser("member", accounts: [alice.email])
        let program = OAuthProgram(platform: platform)
        _ = try await program.redeem(program.code(from: alice)).json(200)
        let listed = try await json("sessions", "--email", alice.email).items
        #expect(listed.count == 2 && listed.allSatisfy { $0["subject"].string == "account:\(alice.id)" })
        #expect(listed.contains { $0["client"] == "Mutt" && $0["mailbox"].string == alice.email })
        #expect(try await json("sessions", "--user", "\(user.id)").items.count == 1)
        let table = try await run("sessions", "--email", alice.email)
        #expect(table.status == 0 && table.text.contains("SUBJECT") && table.text.contains("Mutt"), "\(table.text)")
        #expect(try await run("sessions", "--email", "nobody@\(tenant.domain)").status != 0)
        #expect(try await run("sessions").status != 0)
    }

    @Test func aSessionIsEndedByItsID() async throws {
        let session = try await json("sessions", "--email", alice.email)[0]
        let token = try await alice.mailToken()
        let held = try await alice.holdIMAP(.xoauth2(token), seconds: 20)
        let ended = try await run("revoke", "--session", session["id"].string ?? "")
        #expect(ended.status == 0, "\(ended.text)")
        #expect(try await held.next()["ended"] != .null)
        #expect(try await platform.introspect(token).json == ["active": false])
        #expect(try await alice.client.get("/api/v1/auth/sessions").status == 401)
        let unknown = try await run("revoke", "--session", "unknown")
        #expect(unknown.status != 0, "\(unknown.text)")
    }

    @Test func aMailboxAUserAndATokenAreRevoked() async throws {
        let token = try await alice.mailToken(), other = try await alice.mailToken()
        let jti = try await platform.introspect(token).json(200)["jti"].string ?? ""
        #expect(try await run("revoke", "--jti", jti).status == 0)
        try await eventually(within: .seconds(2), "the token is dead") {
            try await platform.introspect(token).json == ["active": false]
        }
        #expect(try await platform.introspect(other).json["active"] == true)
        #expect(try await run("revoke", "--email", alice.email).status == 0)
        try await eventually(within: .seconds(2), "all of the mailbox is dead") {
            try await platform.introspect(other).json == ["active": false]
        }
        let user = try await tenant.newUser("member")
        #expect(try await run("revoke", "--user", "\(user.id)").status == 0)
        try await eventually(within: .seconds(2), "the user is out") {
            try await user.client.get("/api/v1/auth/sessions").status == 401
        }
        let audit = "/api/v1/auth/audit?actor=command&action=token.revoked&target=\(escaped("account \(alice.email)"))"
        #expect(try await platform.hoster.get(audit).json(200)["total"] == 1)
        for bad in [
            [], ["--email", "nobody@\(tenant.domain)"], ["--user", "999999999"], ["--email", "a", "--user", "1"],
        ] {
            #expect(try await Launch("auth-server", of: platform).output(["revoke"] + bad).status != 0, "\(bad)")
        }
    }
}
