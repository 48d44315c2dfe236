import Foundation
import TestSupport
import Testing

/// Webhooks: signed, tried again, given up in the end; whoever may not is refused.
@Suite(.timeLimit(.minutes(3))) struct WebhookTests {
    static let path = "/api/v1/mail/webhooks"
    let platform: Platform
    let tenant: Tenant
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        bob = try await tenant.newMailbox("bob")
    }

    private func receiver(_ answers: [JSON]) async throws -> (process: Outside, url: String) {
        let process = try Outside(dialog: "webhook_receiver.py", ["answers": .array(answers)])
        guard let port = try await process.next()["port"].int else { throw Surprise("the receiver has no port") }
        return (process, "http://127.0.0.1:\(port)/hook")
    }

    private func webhook(_ url: String, by client: Client, _ more: [String: JSON] = [:]) async throws -> JSON {
        try await client.post(Self.path, .object(more.merging(["url": .string(url)]) { $1 })).json(201)
    }

    private func tell(_ receiver: Outside, secretOf webhook: JSON) throws {
        try receiver.say(#"{"secret":"\#(webhook["secret"].string ?? "")"}"#)
    }

    @Test func eventsAreToldSignedAndInTheEnvelope() async throws {
        let (receiver, url) = try await receiver([204])
        let hook = try await webhook(url, by: bob.client, ["events": ["mail.new_message"]])
        #expect(hook["accounts"] == [.string(bob.email)] && hook["secret"].string?.hasPrefix("whsec_") == true)
        try tell(receiver, secretOf: hook)
        let id = hook["id"].int ?? 0
        let kept = try await platform.sql("SELECT secret FROM webhooks WHERE id = \(id)")
        #expect(kept.first?.hasPrefix("sealed:") == true, "whoever reads the database cannot sign")
        #expect(try await bob.client.get("\(Self.path)/\(id)").json(200)["secret"] == .null)
        let subjects = (1...5).map { "Hook \($0)" }
        try await bob.deliver(subjects)
        var heard: [String: String] = [:]
        for _ in subjects {
            let call = try await receiver.next()
            #expect(call["signed"] == true && call["late"] == false && call["path"] == "/hook")
            #expect(call["body"]["type"] == "mail.new_message" && call["body"]["account"].string == bob.email)
            heard[call["body"]["data"]["message"]["subject"].string ?? ""] = call["id"].string
        }
        #expect(Set(heard.keys) == Set(subjects) && Set(heard.values).count == 5)
        try await eventually(within: .seconds(5), "nothing is pending") {
            try await bob.client.get("\(Self.path)/\(id)").json(200)["pending"] == 0
        }
        let tried = try await bob.client.post("\(Self.path)/\(id)/test").json(200)
        #expect(tried["delivered"] == true && tried["status"] == 204)
        #expect(try await receiver.next()["body"]["type"] == "webhook.test")
        #expect(try await bob.client.delete("\(Self.path)/\(id)").status == 204)
        #expect(try await bob.client.get("\(Self.path)/\(id)").status == 404)
    }

    @Test func whatIsNotTakenIsTriedAgainAndGivenUpInTheEnd() async throws {
        // The stack tries three times. A redirect is not followed.
        let (receiver, url) = try await receiver([500, 302, 503, 500, 204])
        let hook = try await webhook(url, by: bob.client, ["events": ["mail.new_message"]])
        try tell(receiver, secretOf: hook)
        let route = "\(Self.path)/\(hook["id"].int ?? 0)"
        try await bob.deliver(["Stubborn"])
        let first = try await receiver.next(), second = try await receiver.next(), third = try await receiver.next()
        #expect(first["id"] == second["id"] && second["id"] == third["id"], "one message, tried again")
        try await eventually(within: .seconds(5), "it is given up") {
            try await bob.client.get(route).json(200)["dead"] == 1
        }
        let letters = try await bob.client.get(route + "/dead-letters").json(200)
        let letter = letters["items"][0]
        #expect(letters["total"] == 1 && letter["type"] == "mail.new_message" && letter["attempts"] == 3)
        #expect(letter["last_status"] == 503 && letter["last_error"] == "refused_by_receiver")
        let one = route + "/dead-letters/\(letter["id"].int ?? 0)/retry"
        #expect(try await bob.client.post(one).json(200) == ["retried": 1])
        #expect(try await bob.client.post(one).status == 404)
        #expect(try await receiver.next()["status"] == 500)
        #expect(try await receiver.next()["status"] == 204)
        try await eventually(within: .seconds(5), "it is told") {
            let now = try await bob.client.get(route).json(200)
            return now["dead"] == 0 && now["pending"] == 0 && now["last_error"] == .null
        }
    }

    @Test func aReceiverThatIsGoneIsLeftAlone() async throws {
        let (receiver, url) = try await receiver([410])
        let hook = try await webhook(url, by: bob.client, ["events": ["mail.new_message"]])
        try tell(receiver, secretOf: hook)
        try await bob.deliver(["Gone"])
        #expect(try await receiver.next()["status"] == 410)
        try await eventually(within: .seconds(5), "it is disabled") {
            try await bob.client.get("\(Self.path)/\(hook["id"].int ?? 0)").json(200)["status"] == "disabled"
        }
    }

    @Test func aCustomersWebhookIsToldOfAllItsMailboxes() async throws {
        let (receiver, url) = try await receiver([200])
        let admin = try await tenant.newUser("admin").client
        let hook = try await webhook(url, by: admin, ["events": ["mail.new_message"]])
        #expect(hook["accounts"] == [])
        try tell(receiver, secretOf: hook)
        try await platform.isWatching(bob)
        try await bob.deliver(["For the admin"])
        #expect(try await receiver.next()["body"]["data"]["message"]["subject"] == "For the admin")
        // The mailbox itself, and others, do not see it.
        let route = "\(Self.path)/\(hook["id"].int ?? 0)"
        let stranger = try await platform.newTenant().newMailbox("stranger")
        for client in [bob.client, stranger.client] {
            #expect(try await client.get(route).status == 404)
            #expect(try await client.delete(route).status == 404)
            #expect(try await client.post(route + "/test").status == 404)
            #expect(try await client.get(route + "/dead-letters").status == 404)
            #expect(try await client.get(Self.path).json(200)["total"] == 0)
        }
        #expect(try await platform.hoster.delete(route).status == 204)
    }

    @Test func whatCannotBeAWebhookIsRefused() async throws {
        let stranger = try await platform.newTenant().newMailbox("stranger")
        let bodies: [(JSON, Int, String)] = [
            ([:], 422, "url"), (["url": "ftp://example.org/"], 422, "url"),
            (["url": "https://u:p@example.org/"], 422, "url"),
            (["url": "https://10.1.2.3/"], 422, "url"), (["url": "https://169.254.169.254/latest"], 422, "url"),
            (["url": "https://[::1]/"], 422, "url"), (["url": "https://[fd00::1]/"], 422, "url"),
            (["url": .string("https://example.org/" + String(repeating: "x", count: 2000))], 422, "url"),
            (["url": "https://example.org/", "events": ["mail.sent"]], 422, "events.0"),
            (["url": "https://example.org/", "accounts": ["nobody"]], 422, "accounts.0"),
            (["url": "https://example.org/", "secret": "mine"], 422, "secret"),
            (["url": "https://example.org/", "accounts": [.string(stranger.email)]], 404, ""),
        ]
        for (body, status, field) in bodies {
            let reply = try await bob.client.post(Self.path, body)
            #expect(reply.status == status, "\(body): \(reply.text)")
            if !field.isEmpty { #expect(reply.json["errors"][0]["field"].string == field, "\(reply.text)") }
        }
        #expect(try await platform.stranger.post(Self.path, ["url": "https://example.org/"]).status == 401)
    }
}
