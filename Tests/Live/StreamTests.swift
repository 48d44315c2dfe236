import Foundation
import TestSupport
import Testing

/// Server-Sent Events, tickets, and the example that the documentation prints.
@Suite(.timeLimit(.minutes(2))) struct StreamTests {
    let platform: Platform
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        bob = try await platform.commonTenant().newMailbox(unique("bob"))
    }

    /// An event stream, read by curl line by line.
    private func stream(_ query: String = "", headers: [String] = []) throws -> Outside {
        let headers = headers.flatMap { ["-H", $0] }
        return try Outside(
            URL(filePath: "/usr/bin/curl"),
            ["-sN", "--max-time", "40"] + headers + [platform.stack.gatewayURL + "/api/v1/mail/events/stream" + query])
    }

    private func bearer() -> String { "Authorization: Bearer \(bob.accessToken)" }

    /// The `data` and `id` of the next event of that type.
    private func next(_ type: String, of stream: Outside) async throws -> (id: String, data: JSON) {
        while try await stream.line() != "event: \(type)" {}
        let id = try await stream.line(), data = try await stream.line()
        return (
            String(id.trimmingPrefix("id: ")), try JSON(parsing: Data(data.trimmingPrefix("data: ").utf8))
        )
    }

    @Test func anEventStreamGoesOnFromTheLastIDAndLives() async throws {
        let first = try stream(headers: [bearer()])
        #expect(try await first.line() == "retry: 2000")
        try await bob.deliver(["One"])
        let one = try await next("mail.new_message", of: first)
        #expect(one.data["data"]["message"]["subject"] == "One" && one.data["id"].string == one.id)
        first.terminate()
        try await bob.deliver(["Two", "Three"])
        for resumed in [
            try stream(headers: [bearer(), "Last-Event-ID: \(one.id)"]),
            try stream("?last_event_id=\(one.id)", headers: [bearer()]),
            try stream("?since=\(one.id)", headers: [bearer()]),
        ] {
            let two = try await next("mail.new_message", of: resumed)
            let three = try await next("mail.new_message", of: resumed)
            #expect(two.data["data"]["message"]["subject"] == "Two")
            #expect(three.data["data"]["message"]["subject"] == "Three")
            resumed.terminate()
        }
        let living = try stream(headers: [bearer()])
        while try await living.line() != ": alive" {}
        living.terminate()
    }

    @Test func aTicketOpensOneStreamOnce() async throws {
        let made = try await bob.client.post("/api/v1/mail/events/ticket").json(201)
        let ticket = try #require(made["ticket"].string)
        #expect(made["expires_in"] == 30)
        let socket = try await EventStream(platform.stranger, query: "?ticket=\(ticket)")
        try await platform.isWatching(bob)
        try await bob.deliver(["By ticket"])
        _ = try await socket.newMessage(subject: "By ticket")
        let refusal = await #expect(throws: EventStream.Refused.self) {
            try await EventStream(platform.stranger, query: "?ticket=\(ticket)")
        }
        #expect(refusal?.status == 401)
        let both = await #expect(throws: EventStream.Refused.self) {
            try await EventStream(bob.client, query: "?ticket=\(ticket)")
        }
        #expect(both?.status == 400)
        await socket.close()
    }

    /// `docs/events.md`, as printed, in a real browser; the mail comes from swaks.
    @Test func theExampleOfTheDocumentationWorks() async throws {
        let page = try String(contentsOf: Outside.repository.appending(path: "docs/events.md"), encoding: .utf8)
        let example = try #require(page.firstMatch(of: /```html\n([\s\S]*?)```/)).1
        #expect(example.split(separator: "\n").count <= 20)
        let html = example.replacing("https://mail.example.com", with: platform.stack.gatewayURL)
            .replacing("ACCESS_TOKEN", with: bob.accessToken)
        let browser = try Outside(script: "event_page.py", ["html": .string(String(html)), "seconds": 60])
        #expect(try await browser.next() == ["ready": true])
        let swaks = try Outside(
            URL(filePath: "/usr/bin/swaks"),
            [
                "--server", platform.stack.imapHost, "--port", "\(platform.stack.smtpPort)", "--helo", "outside.test",
                "--from", "ann@outside.test", "--to", bob.email, "--header", "Subject: Hello <b>browser</b>", "--body",
                "Sent by swaks.", "--hide-all",
            ])
        #expect(await swaks.status() == 0)
        let shown = try await browser.next()
        #expect(shown["text"].string?.contains("Hello <b>browser</b>") == true, "\(shown)")
    }
}
