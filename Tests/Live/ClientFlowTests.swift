import Foundation
import TestSupport
import Testing

/// Programs that are none of ours, let in by people: a browser, an OAuth2 library, a mail program at a terminal.
@Suite(.serialized, .timeLimit(.minutes(4))) struct ClientFlowTests {
    let platform: Platform
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        alice = try await platform.commonTenant().newMailbox(unique("alice"))
    }

    /// Goes through the pages in Chromium; every page is looked at for what people who see badly would miss.
    private func browse(_ url: String, dark: Bool, language: String, userCode: String? = nil) async throws -> JSON {
        let seen = try await Outside(
            script: "browser.py",
            [
                "url": .string(url), "email": .string(alice.email), "password": .string(alice.password),
                "scheme": dark ? "dark" : "light", "language": .string(language),
                "user_code": userCode.map(JSON.string) ?? .null,
            ]
        ).next()
        for page in seen["pages"].items {
            #expect(page["faults"] == [], "\(page)")
            #expect(page["lang"].string == language)
            #expect((page["ground"] == "rgb(16, 22, 29)") == dark, "\(page)")
        }
        #expect(seen["readable_cookies"] == [])
        return seen
    }

    @Test(arguments: [(false, "en"), (true, "de")])
    func chromiumLetsAProgramIn(dark: Bool, language: String) async throws {
        var program = OAuthProgram(platform: platform)
        program.redirectURI = "http://127.0.0.1:PORT/"
        let path = program.authorizePath()
        let seen = try await browse(platform.stack.gatewayURL + path, dark: dark, language: language)
        #expect(seen["pages"].items.count == 3 && seen["title"] == "back", "\(seen)")
        #expect(seen["answer"]["state"] == "a state")
        #expect(seen["answer"]["iss"].string == platform.stack.gatewayURL)
        program.redirectURI = "http://127.0.0.1:\(seen["port"].int ?? 0)/"
        let tokens = try await program.redeem(seen["answer"]["code"].string ?? "").json(200)
        #expect(try await alice.canLogInToIMAP(.xoauth2(tokens["access_token"].string ?? "")))
    }

    @Test func chromiumLetsADeviceIn() async throws {
        let asked = try await platform.stranger.postForm("/oauth2/device", ["client_id": "isync"]).json(200)
        let seen = try await browse(
            platform.stack.gatewayURL + "/oauth2/device", dark: true, language: "de",
            userCode: asked["user_code"].string)
        #expect(seen["pages"].items.last?["heading"] == "Fertig", "\(seen)")
        let device = [
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "isync",
            "device_code": asked["device_code"].string ?? "",
        ]
        #expect(try await platform.stranger.postForm("/oauth2/token", device).status == 200)
    }

    @Test func authlibUnderstandsThePlatform() async throws {
        let redirectURI = "http://127.0.0.1:49999/callback"
        let credentials = platform.stack.introspectCredentials.split(separator: ":").map { JSON.string(String($0)) }
        let session = try Outside(
            dialog: "authlib_client.py",
            [
                "issuer": .string(platform.stack.gatewayURL), "redirect_uri": .string(redirectURI),
                "introspection": .string(platform.stack.authURL + "/api/v1/auth/token/introspect"),
                "credentials": .array(credentials),
            ])
        let url = try #require(try await session.next()["authorize"].string)
        let visitor = PageVisitor(platform)
        try await visitor.get(String(url.dropFirst(platform.stack.gatewayURL.count)))
        try await visitor.submit(["email": alice.email, "password": alice.password])
        try await visitor.submit(["mailbox": alice.email, "decision": "allow"])
        try session.say(try #require(visitor.location))
        let checks = try await session.next()["checks"]
        #expect(checks.items.count == 6, "\(checks)")
    }

    /// mutt asks `xynap-token` for its token, which asks a person once, by device flow.
    @Test func muttReadsMailByDeviceFlow() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: unique("mutt"))
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let sender = "friend@elsewhere.example"
        _ = try await platform.deliver(
            [plainMail(from: sender, to: alice.email, subject: "Read by mutt")], from: sender, to: alice.email)
        let command = Outside.repository.appending(path: "deploy/clients/xynap-token").path()
        let arguments = ["--file", "\(folder.path())/token.json", platform.stack.gatewayURL]
        let helper = try Outside(URL(filePath: command), arguments, showsErrors: true)
        let code = try #require(try await helper.line().firstMatch(of: /[A-Z]{4}-[A-Z]{4}/)).0
        let visitor = PageVisitor(platform)
        try await visitor.get("/oauth2/device?user_code=\(code)")
        try await visitor.submit(["user_code": String(code)])
        try await visitor.submit(["email": alice.email, "password": alice.password])
        try await visitor.submit(["mailbox": alice.email, "decision": "allow"])
        #expect(visitor.heading == "All set")
        #expect(try await helper.line().split(separator: ".").count == 3, "a token is printed")

        let settings = """
            set imap_authenticators = "oauthbearer"
            set imap_oauth_refresh_command = "\(command) \(arguments.joined(separator: " "))"
            set imap_user = "\(alice.email)"
            set folder = "imaps://localhost:\(platform.stack.imapsPort)/"
            set ssl_ca_certificates_file = "\(platform.stack.tlsCA)"
            set spoolfile = "+INBOX"
            set ssl_use_system_certs = no
            set header_cache = ""
            set record = ""
            set wait_key = no
            set mail_check = 5
            push "<pipe-message>cat > \(folder.path())/mail<enter><exit>"
            """
        let file = folder.appending(path: "muttrc")
        try settings.write(to: file, atomically: true, encoding: .utf8)
        let mutt = try Outside(
            URL(filePath: "/usr/bin/script"), ["-qec", "mutt -n -F \(file.path())", "/dev/null"],
            environment: ["TERM": "xterm", "HOME": folder.path(), "PATH": "/usr/bin:/bin"])
        defer { mutt.terminate() }
        try await eventually(within: .seconds(20), "mutt has read the mail") {
            (try? String(contentsOf: folder.appending(path: "mail"), encoding: .utf8))?.contains("Read by mutt") == true
        }
    }
}
