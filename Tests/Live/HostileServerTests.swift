import Foundation
import TestSupport
import Testing

/// A mail server that goes wrong in every way: each call is answered in time, and the service goes on unharmed.
@Suite(.timeLimit(.minutes(10))) struct HostileServerTests {
    let platform: Platform
    let reader: Mailbox
    let server: Outside
    let faults: (greetings: [String], answers: [String])
    let service: OwnService

    init() async throws {
        platform = try Platform()
        reader = try await platform.commonTenant().newMailbox(unique("reader"))
        _ = try await reader.deliver([
            ["base64": .string(Data("Subject: one\r\n\r\nbody\r\n".utf8).base64EncodedString())]
        ])
        let stack = platform.stack
        server = try Outside(
            dialog: "hostile_imap.py", ["host": .string(stack.imapHost), "port": .int(stack.imapPort)])
        let told = try await server.next()
        faults = (told["greetings"].strings, told["answers"].strings)
        service = try await OwnService(
            "webmail-proxy", of: platform,
            settings: ["IMAP_PORT": "\(told["port"].int ?? 0)", "MAIL_DEADLINE": "1s"])
    }

    private var client: Client { service.client.with(reader.client.credentials) }

    private func set(_ fault: String?, on verb: String = "") async throws {
        try server.say(
            String(
                decoding: JSON.object(["fault": fault.map(JSON.string) ?? .null, "verb": .string(verb)]).data,
                as: UTF8.self))
        guard try await server.next()["ready"] == true else { throw Surprise("the server took no fault") }
    }

    /// Calls until the service is as good as new, which must be soon.
    private func recover(_ fault: String) async throws {
        try await set(nil)
        try await eventually(within: .seconds(8), "the service goes on after \(fault)") {
            try await client.get("/api/v1/mail/webmail/messages/INBOX").status == 200
        }
    }

    private func call(_ path: String, _ fault: String, allowed: Set<Int>) async throws {
        let started = ContinuousClock.now
        let reply = try await client.get(path)
        let time = ContinuousClock.now - started
        #expect(allowed.contains(reply.status), "\(fault): \(path) \(reply.status) \(reply.text.prefix(200))")
        #expect(reply.status < 400 || reply.isCleanProblem, "\(fault): \(reply.text.prefix(200))")
        #expect(time < .seconds(3), "\(fault): \(path) took \(time)")
    }

    @Test func everyCallIsAnsweredInTimeAndTheServiceGoesOn() async throws {
        try await recover("nothing")
        let before = try service.memory()
        var highest = 0
        for fault in faults.greetings {
            try await recover("the last fault")
            // A session that is warm needs no greeting: a folder that is not open yet wants another one.
            try await set(fault)
            let folders = (0..<6).map { "/api/v1/mail/webmail/messages/\(["INBOX", "Sent", "Drafts"][$0 % 3])" }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for path in folders {
                    group.addTask { try await call(path, fault, allowed: [200, 404, 502, 503, 504]) }
                }
                try await group.waitForAll()
            }
            highest = max(highest, try service.memory())
        }
        let harmless: Set<String> = [
            "nothing-but-ok", "nils", "envelope-nils", "never-asked", "numbers", "quotes", "literal-short", "twice",
            "literal-negative", "nesting", "nesting-unknown", "sections-never-asked", "events", "no", "bad", "sizes",
            "number-zero",
        ]
        // What no number of ours may hold is met by every call.
        let absurd: Set<String> = ["numbers", "sizes", "number-zero"]
        let calls = [
            // Another page each time: what was shown already needs no FETCH.
            (" FETCH ", "messages/INBOX?per_page=#"), (" FETCH ", "messages/INBOX/1"), (" LIST ", "folders"),
            (" SELECT ", "messages/Sent"), (" FETCH ", "messages/INBOX/1/attachments/1"),
            ("AUTHENTICATE", "folders"), (" FETCH ", "messages/INBOX/1/raw"), (" FETCH ", "changes/INBOX?since=1"),
            (" SEARCH ", "messages/INBOX?q=#"),
        ]
        for (index, fault) in faults.answers.enumerated() {
            // Every third call for each fault: most of them cost a deadline.
            let step = absurd.contains(fault) ? 1 : 3
            for (verb, path) in stride(from: index % step, to: calls.count, by: step).map({ calls[$0] }) {
                // Its size is told, its bytes are not: the answer would be broken off.
                if fault == "envelope-nils", path.hasSuffix("/raw") { continue }
                try await recover("\(fault) on\(verb)")
                if verb == " SELECT " || verb == "AUTHENTICATE" { try await expireSessions() }
                try await set(fault, on: verb)
                let isHarmless = harmless.contains(fault)
                try await call(
                    "/api/v1/mail/webmail/" + path.replacing("#", with: "\(index + 1)"), fault + verb,
                    allowed: isHarmless ? [200, 404, 409, 502, 503, 504] : [502, 503, 504])
                highest = max(highest, try service.memory())
            }
        }
        try await recover("all of them")
        print("hostile server: RSS \(before) kB before, \(highest) kB at most, \(try service.memory()) kB after")
        #expect(highest - before < 250 << 10, "\(highest) kB")
        #expect(service.isRunning)
        service.stop()
    }

    /// A search in a large folder may take longer than a call may: others go on being answered.
    @Test func oneSlowCommandHoldsUpNobody() async throws {
        try await recover("nothing")
        try await set("silence", on: " SEARCH ")
        async let slow = client.get("/api/v1/mail/webmail/messages/INBOX?q=slow")
        for _ in 0..<30 {
            let reply = try await client.get("/api/v1/mail/webmail/folders")
            #expect(reply.status == 200, "\(reply.text.prefix(200))")
            try await Task.sleep(for: .milliseconds(50))
        }
        let status = try await slow.status
        #expect(status == 503 || status == 504)
        service.stop()
    }

    /// Sessions that are warm would not select or log in again.
    private func expireSessions() async throws {
        try await set("closed", on: "NOOP")
        _ = try await client.get("/api/v1/mail/webmail/messages/INBOX")
    }
}
