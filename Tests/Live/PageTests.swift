import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// The pages of OAuth2 under attack: nobody is sent where they should not be, and no form counts that is not ours.
@Suite(.timeLimit(.minutes(2))) struct PageTests {
    let platform: Platform
    let program: OAuthProgram
    let visitor: PageVisitor

    init() throws {
        platform = try Platform()
        program = OAuthProgram(platform: platform)
        visitor = PageVisitor(platform)
    }

    private func newMailbox() async throws -> Mailbox {
        try await platform.commonTenant().newMailbox(unique("alice"))
    }

    @Test(arguments: [
        "https://evil.example/", "http://127.0.0.1@evil.example/", "http://127.0.0.1.evil.example/",
        "http://evil.example\\@127.0.0.1/", "//evil.example/", "javascript:alert(1)", "data:text/html,x",
        "http://127.0.0.1:1/other", "http://127.0.0.1:1/#x", "", "http://[::1]:1/\r\nX: y", "http://127.0.0.1:1/?x",
    ]) func nobodyIsSentToAPlaceThatIsNotRegistered(place: String) async throws {
        try await visitor.get(program.authorizePath(["redirect_uri": place]))
        #expect(visitor.status == 400 && visitor.location == nil && visitor.problem != nil)
        #expect(!visitor.page.contains("evil.example"))
    }

    @Test func anUnknownClientIsSentNowhere() async throws {
        for client in ["nobody", "", "mutt\u{0}", "ü", "' OR 1=1 --", String(repeating: "x", count: 5000)] {
            try await visitor.get(program.authorizePath(["client_id": client]))
            #expect(visitor.status == 400 && visitor.location == nil, "\(client.prefix(20))")
        }
        try await visitor.get(program.authorizePath() + "&client_id=isync")
        #expect(visitor.status == 400 && visitor.location == nil, "named twice")
    }

    @Test func otherFaultsAreToldToTheClient() async throws {
        for (change, error): ([String: String?], String) in [
            (["response_type": "token"], "unsupported_response_type"), (["response_type": nil], "invalid_request"),
            (["code_challenge": nil], "invalid_request"), (["code_challenge_method": "plain"], "invalid_request"),
            (["code_challenge": "short"], "invalid_request"), (["scope": "root"], "invalid_scope"),
            (["prompt": "none"], "login_required"), (["request": "e30."], "request_not_supported"),
        ] {
            try await visitor.get(program.authorizePath(change))
            #expect(visitor.status == 303 && visitor.answered("error") == error, "\(change)")
            #expect(visitor.answered("state") == "a state" && visitor.answered("iss") == platform.stack.gatewayURL)
        }
    }

    /// Anybody may register a web page: a link to us is no way there for whoever follows it (RFC 9700 §4.11.2).
    @Test func aFaultOfAWebClientIsShownAndLeadsNowhere() async throws {
        let registered = try await Client(base: platform.stack.authURL).send(
            .POST, "/oauth2/register", ["client_name": "A web client", "redirect_uris": ["https://evil.example/"]],
            headers: [("X-Forwarded-For", "198.18.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))")]
        ).json(201)
        var web = program
        web.clientID = try #require(registered["client_id"].string)
        web.redirectURI = "https://evil.example/"
        for change: [String: String?] in [["scope": "root"], ["prompt": "none"], ["response_type": nil]] {
            try await visitor.get(web.authorizePath(change))
            #expect(visitor.status == 400 && visitor.location == nil && visitor.problem != nil, "\(change)")
            #expect(!visitor.page.contains("evil.example"))
        }
        try await visitor.get(web.authorizePath())
        #expect(visitor.status == 200 && visitor.heading == "Sign in to your mailbox")
    }

    @Test func aFormOfAnotherBrowserOrSiteCountsForNothing() async throws {
        let alice = try await newMailbox()
        try await visitor.get(program.authorizePath())
        let stolen = visitor.state
        let login = ["page": stolen, "email": alice.email, "password": alice.password]
        let other = PageVisitor(platform)
        try await other.submit(login)
        #expect(other.status == 403, "no cookie")
        try await other.get(program.authorizePath())
        try await other.submit(login)
        #expect(other.status == 403, "another browser's cookie")
        visitor.extraHeaders = [("Origin", "https://evil.example")]
        try await visitor.submit(login)
        #expect(visitor.status == 403, "another site's page")
        visitor.extraHeaders = [("Origin", "null")]
        try await visitor.submit(login)
        #expect(visitor.status == 403, "a sandboxed page")
        visitor.extraHeaders = [("Sec-Fetch-Site", "cross-site")]
        try await visitor.submit(login)
        #expect(visitor.status == 403, "as the browser tells")
        visitor.extraHeaders = [("Origin", platform.stack.gatewayURL), ("Sec-Fetch-Site", "same-origin")]
        try await visitor.submit(login)
        #expect(visitor.status == 200 && visitor.heading.contains("Mutt"))
    }

    @Test func aStepCannotBeSkipped() async throws {
        let alice = try await newMailbox()
        try await visitor.get(program.authorizePath())
        try await visitor.submit(["mailbox": alice.email, "decision": "allow"])
        #expect(visitor.location == nil && visitor.status == 401, "the password page asks for the password")
        let bob = try await newMailbox()
        try await visitor.get(program.authorizePath())
        try await visitor.submit(["email": alice.email, "password": alice.password])
        try await visitor.submit(["mailbox": bob.email, "decision": "allow"])
        #expect(visitor.location == nil && visitor.status == 403, "another's mailbox")
    }

    /// Who knew the old password has got as far as the last page, and waits.
    @Test(arguments: [true, false]) func aNewPasswordEndsWhatTheOldOneBegan(byDevice: Bool) async throws {
        let alice = try await newMailbox()
        var device: JSON = .null
        if byDevice {
            device = try await platform.stranger.postForm("/oauth2/device", ["client_id": "mutt"]).json(200)
            try await visitor.get("/oauth2/device")
            try await visitor.submit(["user_code": device["user_code"].string ?? ""])
        } else {
            try await visitor.get(program.authorizePath())
        }
        try await visitor.submit(["email": alice.email, "password": alice.password])
        #expect(visitor.heading == "Allow Mutt to use your mailbox?")
        _ = try await platform.hoster.put(alice.accountRoute(), ["password": "another password"]).json(200)
        try await visitor.submit(["mailbox": alice.email, "decision": "allow"])
        #expect(visitor.status == 403 && visitor.location == nil && visitor.problem != nil, "\(visitor.page)")
        guard byDevice else { return }
        let answer = try await program.token([
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": device["device_code"].string ?? "",
        ])
        #expect(answer.json["error"] == "authorization_pending", "nobody has decided: \(answer.text)")
    }

    @Test func wrongPasswordsAreToldAndTheAddressIsKept() async throws {
        let alice = try await newMailbox()
        try await visitor.get(program.authorizePath(["login_hint": "<b>x</b>@\"'"]))
        #expect(visitor.page.contains("value=\"&lt;b&gt;x&lt;/b&gt;@&quot;&#39;\""))
        try await visitor.submit(["email": alice.email, "password": "wrong"])
        #expect(visitor.status == 401 && visitor.problem?.isEmpty == false)
        #expect(visitor.page.contains("value=\"\(alice.email)\"") && !visitor.page.contains("wrong\""))
        try await visitor.submit(["email": alice.email, "password": alice.password])
        #expect(visitor.heading.contains("Mutt"))
    }

    @Test func thePagesAreNotFramedNotKeptAndWithoutScript() async throws {
        for path in [program.authorizePath(), "/oauth2/device", program.authorizePath(["client_id": "nobody"])] {
            try await visitor.get(path)
            let policy = try #require(visitor.headers.first(name: "content-security-policy"))
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(policy.contains("base-uri 'none'") && !policy.contains("unsafe") && !policy.contains("script-src"))
            #expect(visitor.headers.first(name: "x-frame-options") == "DENY")
            #expect(visitor.headers.first(name: "cache-control") == "no-store")
            #expect(visitor.headers.first(name: "content-type") == "text/html; charset=utf-8")
            #expect(!visitor.page.contains("<script") && visitor.page.contains("<html lang=\"en\">"))
        }
        let cookie = try await Client(base: platform.stack.gatewayURL).get("/oauth2/device").headers["set-cookie"] ?? ""
        #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"))
    }

    @Test func oversizedAndStrangeFormsGetAPage() async throws {
        let alice = try await newMailbox()
        try await visitor.get(program.authorizePath())
        try await visitor.submit(["email": alice.email, "password": String(repeating: "x", count: 70_000)])
        #expect(visitor.status == 413 && visitor.page.hasPrefix("<!DOCTYPE html>"))
        let json = try await platform.stranger.post("/oauth2/continue", ["page": "x"])
        #expect(json.status == 415)
        for body in ["page=%zz", "page=%00", "", "page=" + String(repeating: "A", count: 60_000)] {
            let reply = try await platform.stranger.send(
                .POST, "/oauth2/continue", bytes: Data(body.utf8), type: "application/x-www-form-urlencoded")
            #expect([400, 403].contains(reply.status), "\(body.prefix(20)): \(reply.status)")
        }
    }
}
