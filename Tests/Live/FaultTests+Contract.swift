import Foundation
import TestSupport
import Testing

/// Each service against its own OpenAPI file, by schemathesis: what it describes is what it answers, to good and to bad
/// requests. It makes, suspends and deletes whatever it finds, so it runs where nobody else does.
extension FaultTests {
    struct Described: Sendable, CustomTestStringConvertible {
        let name: String
        let base: any KeyPath<TestStack, String> & Sendable
        /// Streams, which never end by themselves.
        var leftOut: [String] = []
        var testDescription: String { name }
    }

    @Test(arguments: [
        Described(name: "auth-server", base: \.authURL), Described(name: "admin-api", base: \.adminURL),
        Described(
            name: "mail-watcher", base: \.watcherURL, leftOut: ["/api/v1/mail/events", "/api/v1/mail/watcher/push"]),
        Described(name: "webmail-proxy", base: \.webmailURL),
    ]) func theServiceIsWhatItsOpenAPIFileSays(service: Described) async throws {
        // Everything but service tokens: its own would be gone soon.
        let made = try await platform.hoster.post(
            "/api/v1/service-tokens",
            [
                "name": "schemathesis",
                "scopes": [
                    "mail:read", "mail:write", "auth:mail-token", "auth:app-passwords", "auth:sessions", "auth:revoke",
                    "auth:introspect", "people:read", "people:write", "auth:audit",
                ],
            ]
        ).json(201)
        let base = platform.stack[keyPath: service.base]
        var arguments = [
            "run", base + "/openapi.yaml", "--url", base, "--header", "x-service-token:\(made["token"].string ?? "")",
            "--header", "x-mail-account:\(alice.email)", "--phases", "examples,coverage,fuzzing", "--max-examples",
            // Alone: two threads of Python 3.11 at a parser of its own break it.
            "10", "--workers", "1",
            "--max-time", "30", "--seed", "1", "--request-timeout", "10", "--max-redirects", "0",
            // The file cannot say everything: which addresses exist, which passwords are good.
            // Where people alone may call, the service token that goes along is refused with 403, not 401.
            "--exclude-checks", "positive_data_acceptance,missing_required_header",
            "--generation-database", "none", "--warnings", "off", "--no-color",
        ]
        for path in service.leftOut { arguments += ["--exclude-path", path] }
        let program = Outside.repository.appending(path: ".local/venv/bin/schemathesis")
        let run = try Outside(program, arguments, showsErrors: true)
        let text = await run.text().joined(separator: "\n")
        #expect(await run.status() == 0, "\(text.suffix(20_000))")
    }
}
