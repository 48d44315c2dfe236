import Foundation
import Testing

/// Counted at the end: what was acknowledged before, while and after processes were killed.
extension FaultTests {
    @Test func noMailAndNoEventIsLostWhileEverythingDiesInTurn() async throws {
        let stream = try await EventStream(bob.client)
        try await platform.isWatching(bob)
        #expect(try await deliver("First", to: bob)["accepted"] == true)
        let first = try #require(try await stream.newMessage(subject: "First")["id"].string)
        await stream.close()

        // Another mail server keeps sending, and tries again what it got no 250 for.
        let sending = Task {
            var accepted: [String] = []
            for number in 1... {
                let subject = "Mail \(number)"
                while try await deliver(subject, to: bob)["accepted"] != true {
                    if Task.isCancelled { return accepted }
                    try? await Task.sleep(for: .milliseconds(200))
                }
                accepted.append(subject)
                if Task.isCancelled { return accepted }
            }
            return accepted
        }
        for victim in ["mail-watcher", "dovecot", "redis", "postfix", "mariadb", "rspamd"] {
            try stack.kill(victim)
            try await stack.up()
        }
        sending.cancel()
        let accepted = try await sending.value
        #expect(accepted.count >= 3)
        try await stack.flushQueue()

        try await eventually(within: .seconds(20), "every accepted mail is in the mailbox") {
            try await stack.flushQueue()
            return try await Set(bob.subjects()).isSuperset(of: accepted)
        }
        let resumed = try await EventStream(bob.client, query: "?since=\(first)")
        try await eventually(within: .seconds(20), "every accepted mail was announced") {
            let heard = await resumed.events("mail.new_message").compactMap { $0["data"]["message"]["subject"].string }
            return Set(heard).isSuperset(of: accepted)
        }
        let uids = await resumed.events("mail.new_message", folder: "INBOX").compactMap {
            $0["data"]["message"]["uid"].int
        }
        #expect(uids.count == Set(uids).count, "one mail is one event")
        await resumed.close()
    }

    @Test func noAccountIsLostThatWasAnsweredWith201() async throws {
        let making = Task {
            var made: [Mailbox] = []
            for number in 1... where !Task.isCancelled {
                if let mailbox = try? await tenant.newMailbox("person\(number)") { made.append(mailbox) }
                if Task.isCancelled { break }
            }
            return made
        }
        for victim in ["mariadb", "admin-api"] {
            try stack.kill(victim)
            try await stack.up()
        }
        making.cancel()
        let made = await making.value
        #expect(!made.isEmpty)
        for mailbox in made {
            #expect(try await platform.hoster.get(mailbox.accountRoute()).status == 200)
            #expect(try await mailbox.canLogInToIMAP(.password(mailbox.password)))
        }
    }
}
