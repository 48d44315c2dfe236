import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport

/// Somebody at the pages of OAuth2: fills in forms and keeps cookies, as a browser without script does.
final class PageVisitor {
    let platform: Platform
    private(set) var cookies: [String: String] = [:]
    /// The last page.
    private(set) var page = ""
    private(set) var status = 0
    private(set) var headers: HTTPHeaders = [:]
    /// Sent with every request.
    var extraHeaders: [(String, String)] = []

    /// Whom it asks: the gateway, or one replica.
    var base: String

    init(_ platform: Platform) {
        self.platform = platform
        base = platform.stack.gatewayURL
    }

    var heading: String { page.firstMatch(of: /<h1>(.*?)<\/h1>/).map { String($0.1) } ?? "" }
    var problem: String? { page.firstMatch(of: /role="alert"[^>]*>(.*?)</).map { String($0.1) } }
    /// The sealed state in the form.
    var state: String { page.firstMatch(of: /name="page" value="([^"]*)"/).map { String($0.1) } ?? "" }
    var location: String? { headers.first(name: "location") }
    /// A parameter that the redirect carries.
    func answered(_ name: String) -> String? {
        URLComponents(string: location ?? "")?.queryItems?.first { $0.name == name }?.value
    }

    func get(_ path: String) async throws { try await send(.GET, path, nil) }

    func submit(_ fields: [String: String], to path: String = "/oauth2/continue") async throws {
        let form = fields.merging(["page": state]) { given, _ in given }
        try await send(.POST, path, form.map { "\($0.key)=\(escaped($0.value))" }.joined(separator: "&"))
    }

    func forgetCookies() { cookies = [:] }

    private func send(_ method: HTTPMethod, _ path: String, _ body: String?) async throws {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        for (name, value) in extraHeaders { request.headers.add(name: name, value: value) }
        if !cookies.isEmpty {
            request.headers.add(name: "Cookie", value: cookies.map { "\($0.key)=\($0.value)" }.joined(separator: "; "))
        }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: body))
        }
        // Redirects are looked at, not followed.
        let response = try await Self.client.execute(request, timeout: .seconds(30))
        page = String(buffer: try await response.body.collect(upTo: 1 << 20))
        status = Int(response.status.code)
        headers = response.headers
        for cookie in response.headers["set-cookie"] {
            let pair = cookie.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { cookies[String(pair[0])] = String(pair[1]) }
        }
    }

    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: .init(redirectConfiguration: .disallow))
}

/// A program that people let into their mailbox.
struct OAuthProgram: Sendable {
    let platform: Platform
    var clientID = "mutt"
    var redirectURI = "http://127.0.0.1:49152/"
    /// RFC 7636, appendix B.
    var verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    var challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    /// Where it sends the browser.
    func authorizePath(_ changes: [String: String?] = [:]) -> String {
        var parameters: [String: String] = [
            "response_type": "code", "client_id": clientID, "redirect_uri": redirectURI, "scope": "imap smtp",
            "state": "a state", "code_challenge": challenge, "code_challenge_method": "S256",
        ]
        for (name, value) in changes { parameters[name] = value }
        return "/oauth2/authorize?" + parameters.map { "\($0.key)=\(escaped($0.value))" }.joined(separator: "&")
    }

    func token(_ fields: [String: String]) async throws -> Reply {
        try await platform.stranger.postForm(
            "/oauth2/token", fields.merging(["client_id": clientID]) { given, _ in given })
    }

    func redeem(_ code: String, _ changes: [String: String] = [:]) async throws -> Reply {
        try await token(
            [
                "grant_type": "authorization_code", "code": code, "redirect_uri": redirectURI,
                "code_verifier": verifier,
            ].merging(changes) { $1 })
    }

    func refresh(_ token: String, _ changes: [String: String] = [:]) async throws -> Reply {
        try await self.token(["grant_type": "refresh_token", "refresh_token": token].merging(changes) { $1 })
    }

    /// A person goes all the way through the pages.
    func code(from mailbox: Mailbox, scope: String = "imap smtp") async throws -> String {
        let visitor = PageVisitor(platform)
        try await visitor.get(authorizePath(["scope": scope]))
        try await visitor.submit(["email": mailbox.email, "password": mailbox.password])
        try await visitor.submit(["mailbox": mailbox.email, "decision": "allow"])
        guard let code = visitor.answered("code") else { throw Surprise("no code: \(visitor.status) \(visitor.page)") }
        return code
    }
}
