import Foundation
import TestSupport
import Testing

/// A new signing key, made by the operator while everything runs.
@Suite(.timeLimit(.minutes(1))) struct KeyRotationTests {
    let platform: Platform

    init() throws { platform = try Platform() }

    /// Verifiers keep the key set for minutes: what a key of yet unknown name had signed, they would refuse.
    @Test func aNewKeyIsPublishedBeforeItSigns() async throws {
        let alice = try await platform.commonTenant().newMailbox(unique("alice"))
        let before = try await kid(of: alice.mailToken()), known = try await published()
        let rotated = try await rotate()
        #expect(!known.contains(rotated))
        try await eventually(within: .seconds(10), "the new key is published") {
            try await published().contains(rotated)
        }
        let token = try await alice.mailToken()
        #expect(try kid(of: token) == before, "it does not sign yet")
        #expect(try await published().contains(before))
        #expect(try await platform.introspect(token).json["active"] == true)
    }

    private func published() async throws -> [String] {
        try await platform.stranger.get("/.well-known/jwks.json").json(200)["keys"].items.compactMap {
            $0["kid"].string
        }
    }

    private func kid(of token: String) throws -> String {
        let header = String(token.prefix { $0 != "." }).replacing("-", with: "+").replacing("_", with: "/")
        let padded = header + String(repeating: "=", count: (4 - header.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), let kid = try JSON(parsing: data)["kid"].string else {
            throw Surprise("no kid in \(header)")
        }
        return kid
    }

    /// `auth-server rotate-keys`, as an operator runs it; the id of the new key.
    private func rotate() async throws -> String {
        let stack = platform.stack
        let settings = try String(contentsOfFile: stack.state + "/stack.env", encoding: .utf8).split(separator: "\n")
        guard let binaries = settings.first(where: { $0.hasPrefix("BIN=") })?.dropFirst(4) else {
            throw Surprise("the stack does not say where its binaries are")
        }
        let command = try Outside(
            URL(filePath: "\(binaries)/auth-server"), ["rotate-keys"],
            environment: [
                "XYNAP_DATABASE_SOCKET": stack.database.socket, "XYNAP_DATABASE_USER": stack.database.user,
                "XYNAP_DATABASE_PASSWORD": stack.database.password, "XYNAP_DATABASE_NAME": stack.database.name,
                "XYNAP_MASTER_KEY_FILE": stack.state + "/keys/master.key", "XYNAP_ISSUER": stack.gatewayURL,
                "XYNAP_REDIS_URL": stack.redisURL, "XYNAP_INTROSPECTION_CREDENTIALS": stack.introspectCredentials,
            ])
        let printed = await command.text()
        // Log lines may stand before it.
        guard let kid = printed.last, kid.utf8.count == 43 else { throw Surprise("no key: \(printed)") }
        return kid
    }
}
