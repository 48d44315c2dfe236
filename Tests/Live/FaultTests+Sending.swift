import Foundation
import Testing

enum SendFaults {
    /// How many mails: more with `XYNAP_FAULT_SENDS=1000`.
    static let sends = ProcessInfo.processInfo.environment["XYNAP_FAULT_SENDS"].flatMap { Int($0) } ?? 200
}

/// Sending while what it stands on is killed: what was answered 202 arrives, once.
extension FaultTests {
    @Test func nothingAnsweredIsLostOrDoubledWhileEverythingIsKilled() async throws {
        let senders = 4
        let work = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in 0..<senders {
                    group.addTask {
                        for number in stride(from: sender, to: SendFaults.sends, by: senders) {
                            try await sendUntilAnswered("Mail \(number)")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let isDone = Task { try await work.value }
        var kills: [String: Int] = [:]
        let end = Flag()
        let watcher = Task {
            _ = try? await isDone.value
            await end.raise()
        }
        while await !end.isRaised {
            try await Task.sleep(for: .milliseconds(Int.random(in: 100...1500)))
            guard await !end.isRaised, let victim = ["webmail-proxy", "postfix", "mariadb"].randomElement() else {
                break
            }
            try victim == "postfix" ? stack.killWithChildren(victim) : stack.kill(victim)
            kills[victim, default: 0] += 1
            try await stack.up()
        }
        await watcher.value
        try await work.value

        let wanted = Set((0..<SendFaults.sends).map { "Mail \($0)" })
        var lost = wanted
        try? await eventually(within: .seconds(60), "everything arrives") {
            try await stack.flushQueue()
            lost = wanted.subtracting(try await subjects(of: bob, "INBOX"))
            if !lost.isEmpty { try await Task.sleep(for: .milliseconds(500)) }
            return lost.isEmpty
        }
        // Two lease times: whoever has something left to do has done it then.
        try await eventually(within: .seconds(45), "the outbox is empty") {
            try await alice.client.get(Mailbox.outboxPath).json(200)["total"] == 0
        }
        let arrived = try await subjects(of: bob, "INBOX").filter(wanted.contains)
        var copies: [String] = []
        try? await eventually(within: .seconds(45), "every mail has its copy") {
            copies = try await subjects(of: alice, "Sent").filter(wanted.contains)
            if Set(copies) != wanted { try await Task.sleep(for: .milliseconds(500)) }
            return Set(copies) == wanted
        }
        let killed = kills.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value) times" }
        let summary = """
            \(SendFaults.sends) sends, killed \(killed): \
            lost \(lost.count), doubled \(arrived.count - Set(arrived).count), \
            copies missing \(wanted.subtracting(copies).count), doubled \(copies.count - Set(copies).count)
            """
        print(summary)
        #expect(lost.isEmpty, "\(summary)")
        #expect(arrived.count == Set(arrived).count, "\(summary)")
        #expect(Set(copies) == wanted && copies.count == wanted.count, "\(summary)")
    }

    /// As a careful client: with a key, again until there is an answer.
    private func sendUntilAnswered(_ subject: String) async throws {
        let mail: JSON = ["to": [.string(bob.email)], "subject": .string(subject), "plain": "Hello"]
        let key = unique("key")
        for _ in 0..<600 {
            if let reply = try? await alice.send(mail, key: key) {
                if reply.status == 202 { return }
                guard [409, 500, 502, 503, 504].contains(reply.status) else {
                    throw Surprise("\(subject): \(reply.status) \(reply.text)")
                }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw Surprise("\(subject) was never answered")
    }

    private func subjects(of mailbox: Mailbox, _ folder: String) async throws -> [String] {
        var subjects: [String] = []
        // Who was killed a moment ago may not let anybody in yet.
        try await eventually(within: .seconds(20), "\(folder) can be read") {
            let results = try await mailbox.imap(.password(mailbox.password), ["subjects", .string(folder)])
            if results.count == 2 { subjects = results[1].strings }
            return results.count == 2
        }
        return subjects
    }

    @Test func whatWaitsForPostfixGoesWhenItReturns() async throws {
        try #require(try await alice.send(to: bob.email, subject: "Before").status == 202)
        try stack.killWithChildren("postfix")
        let begun = ContinuousClock.now
        let answer = try await alice.send(to: bob.email, subject: "Waiting").json(202)
        #expect(answer["state"] == "queued" && ContinuousClock.now - begun < .seconds(5))
        try await eventually(within: .seconds(3), "the outbox says what it waits for") {
            let listed = try await alice.outbox(try #require(answer["id"].int))
            return listed["state"] == "queued" && listed["error"]["code"].string != nil
        }
        try await stack.up("postfix")
        let back = ContinuousClock.now
        try await eventually(within: .seconds(5), "it is sent") {
            try await alice.outbox(try #require(answer["id"].int))["state"] == "sent"
        }
        #expect(ContinuousClock.now - back < .seconds(4))
        _ = try await bob.arrival(of: "Waiting")
        #expect(try await bob.subjects().sorted() == ["Before", "Waiting"])
    }

    @Test func aSendThatIsCutOffByShutdownIsFinished() async throws {
        let answers = try await withThrowingTaskGroup(of: Reply?.self) { group in
            for number in 0..<8 {
                group.addTask { try? await alice.send(to: bob.email, subject: "Drained \(number)") }
            }
            try await Task.sleep(for: .milliseconds(30))
            try await stack.down("webmail-proxy")
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await stack.up()
        let accepted = answers.count { $0?.status == 202 }
        try await eventually(within: .seconds(25), "all that was answered arrives") {
            try await bob.subjects().count >= accepted
        }
        #expect(try await Set(bob.subjects()).count == bob.subjects().count)
    }

    private actor Flag {
        var isRaised = false
        func raise() { isRaised = true }
    }
}
