import Foundation
import TestSupport
import Testing

/// Two replicas of auth-server behind one gateway: whichever is asked, a person and a program notice nothing of it.
extension FaultTests {
    @Test func aKeyIsReplacedUnderWay() async throws {
        let (process, second) = try await secondReplica()
        defer { process.terminate() }
        let old = try await alice.mailToken()
        let oldKeys = try await platform.stranger.get("/.well-known/jwks.json").json(200)["keys"].items
        let (status, text) = try await Launch(pid: stack.pid("auth-server")).output(["rotate-keys"])
        let kid = text.split(separator: "\n").last.map(String.init) ?? ""
        #expect(status == 0 && kid.utf8.count == 43, "\(text)")
        for replica in [platform.dovecot, second] {
            try await eventually(within: .seconds(10), "the new key is published by both replicas") {
                let keys = try await replica.get("/.well-known/jwks.json").json(200)["keys"].items
                return keys.count == oldKeys.count + 1 && keys.contains { $0["kid"].string == kid }
            }
            #expect(try await introspect(old, at: replica) == true, "the old key's tokens live on")
        }
        #expect(try await alice.canLogInToIMAP(.xoauth2(old)))
        let new = try await alice.mailToken()
        for replica in [platform.dovecot, second] { #expect(try await introspect(new, at: replica) == true) }
        try await expectServed { try await folders() }
        let audit = "/api/v1/auth/audit?action=key.rotated&target=\(kid)"
        #expect(try await platform.hoster.get(audit).json(200)["items"][0]["actor"] == "command")
    }

    /// The pages keep nothing in a server, so each step may be answered by another.
    @Test func pagesCodesAndTokensPassFromReplicaToReplica() async throws {
        let (process, second) = try await secondReplica()
        defer { process.terminate() }
        let program = OAuthProgram(platform: platform)
        let visitor = PageVisitor(platform)
        try await visitor.get(program.authorizePath())
        visitor.base = second.base
        try await visitor.submit(["email": alice.email, "password": alice.password])
        #expect(visitor.heading == "Allow Mutt to use your mailbox?", "begun here, gone on there: \(visitor.page)")
        visitor.base = platform.stack.authURL
        try await visitor.submit(["mailbox": alice.email, "decision": "allow"])
        let code = try #require(visitor.answered("code"), "\(visitor.page)")

        let there = Client(base: second.base)
        let tokens = try await there.postForm(
            "/oauth2/token",
            [
                "grant_type": "authorization_code", "code": code, "redirect_uri": program.redirectURI,
                "code_verifier": program.verifier, "client_id": program.clientID,
            ]
        ).json(200)
        #expect(try await introspect(tokens["access_token"].string ?? "", at: platform.dovecot) == true)

        // The same refresh token at both replicas at the same moment: one session goes on, or none, never two.
        let refresh = tokens["refresh_token"].string ?? ""
        let answers = try await withThrowingTaskGroup(of: Reply.self) { group in
            for number in 0..<6 {
                let replica = number.isMultiple(of: 2) ? there : Client(base: platform.stack.authURL)
                group.addTask {
                    try await replica.postForm(
                        "/oauth2/token",
                        ["grant_type": "refresh_token", "refresh_token": refresh, "client_id": program.clientID])
                }
            }
            return try await group.reduce(into: [Reply]()) { $0.append($1) }
        }
        #expect(answers.allSatisfy { $0.status == 200 || $0.json["error"] == "invalid_grant" })
        #expect(
            answers.filter { $0.status == 200 }.count <= 1
                || Set(answers.filter { $0.status == 200 }.map(\.text)).count <= 2)
    }
}
