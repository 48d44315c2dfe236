import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// What Traefik lets through, and what it keeps inside.
@Suite(.timeLimit(.minutes(1))) struct GatewayTests {
    let platform: Platform

    init() throws { platform = try Platform() }

    @Test(arguments: [
        "/api/v1/auth/token/introspect", "/api/v1/auth/token/introspect/", "/api/v1/auth/token//introspect",
        "/api/v1/auth//token/introspect", "/api/v1/auth/token%2Fintrospect", "/api/v1/auth/token/%69ntrospect",
        "/api/v1/auth/token/./introspect", "/api/v1/auth/x/../token/introspect", "/api/v1/auth/token/introspect?x=1",
        "/api/v1/mail/../auth/token/introspect", "/api/v1/auth/token/introspect;x", "//api/v1/auth/token/introspect",
    ])
    func introspectionIsNotReachable(path: String) async throws {
        let alice = try await platform.newTenant().newMailbox("alice")
        let form = ["token": try await alice.mailToken()]
        for credentials in [platform.dovecot.credentials, platform.hoster.credentials] {
            let reply = try await platform.stranger.with(credentials).postForm(path, form)
            #expect(reply.status >= 300 && reply.json["active"] == .null, "\(reply.status) \(reply.text)")
        }
    }

    @Test(arguments: [
        "/api/v1/mail/watcher/push", "/api/v1/mail/watcher/push/", "/api/v1/mail/watcher/%70ush",
        "/api/v1/mail/watcher//push", "/metrics", "/metrics/", "//metrics", "/readyz", "/readyz/",
        "/api/v1/auth/../../../metrics", "/api/v1/auth/..%2F..%2F..%2Fmetrics", "/api/v1/auth/metrics",
    ])
    func theInnerRoutesAreNotReachable(path: String) async throws {
        for method in [HTTPMethod.GET, .POST, .PUT] {
            let reply = try await platform.hoster.send(method, path)
            #expect(
                reply.status >= 300 && !reply.text.contains("# TYPE") && !reply.text.contains("MariaDB"),
                "\(method) \(reply.text)")
            #expect([301, 308, 400, 404, 405].contains(reply.status), "\(method) \(reply.status)")
        }
    }

    @Test func eachServiceTellsOfItselfInside() async throws {
        let stack = platform.stack
        for base in [stack.authURL, stack.adminURL, stack.webmailURL, stack.watcherURL] {
            let inside = Client(base: base)
            #expect(try await inside.get("/healthz").status == 200)
            let ready = try await inside.get("/readyz")
            #expect(ready.status == 200 && ready.text.contains("ok"), "\(base) \(ready.text)")
            let metrics = try await inside.get("/metrics")
            #expect(metrics.status == 200 && metrics.text.contains("# TYPE"), "\(base)")
            #expect(metrics.headers["content-type"]?.hasPrefix("text/plain") == true)
            #expect(try await inside.get("/version").status == 200)
            let openAPI = try await inside.get("/openapi.yaml")
            #expect(openAPI.status == 200 && openAPI.text.hasPrefix("openapi: 3.1"), "\(base)")
            #expect(try await inside.get("/docs").headers["content-type"]?.hasPrefix("text/html") == true, "\(base)")
        }
    }

    @Test func allServicesAnswerAtTheOneAddress() async throws {
        for path in [
            "/api/v1/customers", "/api/v1/mail/domains", "/api/v1/mail/watcher/status", "/.well-known/jwks.json",
        ] { #expect(try await platform.hoster.get(path).status == 200, "\(path)") }
        let alice = try await platform.newTenant().newMailbox("alice")
        #expect(try await alice.client.get("/api/v1/mail/webmail/folders").status == 200)
    }

    @Test func mailComesInThroughTheGateway() async throws {
        let alice = try await platform.newTenant().newMailbox("alice")
        let sender = "friend@elsewhere.example"
        let mail = plainMail(from: sender, to: alice.email, subject: "Through the gate")
        let outcome = try await platform.deliver(
            [mail], from: sender, to: alice.email, port: platform.stack.gatewaySMTPPort)
        #expect(outcome == [["accepted": true, "code": 250, "text": "", "stage": "mail"]])
        _ = try await alice.arrival(of: "Through the gate")
    }

    @Test func nobodyRelaysThroughUs() async throws {
        for port in [platform.stack.smtpPort, platform.stack.gatewaySMTPPort] {
            let mail = plainMail(from: "a@elsewhere.example", to: "b@gmail.example", subject: "Relay")
            let outcome = try await platform.deliver(
                [mail], from: "a@elsewhere.example", to: "b@gmail.example", port: port)[0]
            #expect(outcome["accepted"] == false && (outcome["code"].int ?? 0) >= 500, "\(outcome)")
        }
    }
}
