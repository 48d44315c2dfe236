import Foundation
import TestSupport
import Testing

/// Hostile values in every field of a mail: a tap before Postfix hears one transaction for the recipients that were
/// named, and another parser finds no header field that was not meant.
@Suite(.timeLimit(.minutes(3))) struct SendInjectionTests {
    private static let values = [
        "\r\nX-Injected: yes", "\nX-Injected: yes", "\rX-Injected: yes", "\r\n X-Folded: yes", "\u{0}",
        "\r\n\r\nX-Injected: yes", "\r\n.\r\nMAIL FROM:<>\r\n", "\n.\nMAIL FROM:<>\n", ">\r\nRCPT TO:<mallory@x.test>",
        "> RCPT TO:<mallory@x.test>", "\" <mallory@x.test>", ", mallory@x.test", "; x=y", "\"; x=\"y", "{5+}", "\\",
        "\"",
        "=?utf-8?Q?=0D=0AX-Injected:_yes?=", "=?utf-8?B?DQpYLUluamVjdGVkOiB5ZXM=?=", "ü", "日本", "\u{202e}",
        "\u{2028}X-Injected: yes", "\u{85}X-Injected: yes", "\u{b}X-Injected: yes", "\u{7f}",
        String(repeating: "x", count: 1500), String(repeating: "é ", count: 400),
    ]

    let alice: Mailbox
    let bob: Mailbox
    let proxy: TappedProxy

    init() async throws {
        let platform = try Platform()
        let tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        bob = try await tenant.newMailbox("bob")
        proxy = try await TappedProxy(platform)
    }

    /// A mail with every field, one of them with something behind its value.
    private func mail(_ field: String = "", _ value: String = "") -> JSON {
        func text(_ name: String, _ usual: String) -> JSON { .string(name == field ? usual + value : usual) }
        let header = field == "name of a header" ? "X-Own" + value : "X-Own"
        let notes: JSON = [
            "filename": text("filename", "notes.txt"), "content_type": text("content_type", "text/x-notes"),
            "content": "bm90ZXM=",
        ]
        let picture: JSON = [
            "filename": "picture.png", "content_type": "image/png", "content": "iVBORw0KGgo=",
            "content_id": text("content_id", "picture@elsewhere.example"),
        ]
        let to: JSON = ["addr": text("to", bob.email), "name": text("name of to", "Bob")]
        let from: JSON = ["addr": text("from", alice.email), "name": text("name of from", "Alice")]
        let replyTo: JSON = ["addr": text("reply_to", alice.email), "name": text("name of reply_to", "Alice")]
        return [
            "to": [to], "from": from, "reply_to": replyTo, "subject": text("subject", "Subject"),
            "plain": text("plain", "Hello"), "html": text("html", "<p>Hello"),
            "in_reply_to": text("in_reply_to", "<one@elsewhere.example>"),
            "references": [text("references", "<zero@elsewhere.example>")],
            "headers": .object([header: text("a header", "own")]), "original": ["folder": text("original", "INBOX")],
            "attachments": [notes, picture],
        ]
    }

    private static let fields = [
        "to", "name of to", "from", "name of from", "reply_to", "name of reply_to", "subject", "plain", "html",
        "in_reply_to", "references", "name of a header", "a header", "original", "filename", "content_type",
        "content_id",
    ]

    /// What the transaction of a mail was; nil when none was begun.
    private func transaction() throws -> WrittenMail? {
        let speeches = proxy.smtp.take(of: alice)
        let mails = try speeches.map { try WrittenMail(reading: $0.bytes) }
        let begun = mails.filter { $0.count(of: "MAIL") > 0 }
        #expect(begun.count <= 1)
        let known = ["EHLO ", "AUTH XOAUTH2 ", "MAIL FROM:<", "RCPT TO:<", "DATA", "RSET", "QUIT", "NOOP"]
        for command in mails.flatMap(\.commands) {
            #expect(known.contains(where: command.hasPrefix), "\(command.prefix(200))")
        }
        return begun.first
    }

    /// The names of the header fields of each mail and its parts, but for the encoding, which follows the content.
    private func headers(of mails: [[UInt8]]) async throws -> [JSON] {
        let task: JSON = ["mails": .array(mails.map { .string(Data($0).base64EncodedString()) })]
        return try await Outside(script: "mail_headers.py", task).results().map { parts in
            .array(parts.items.map { .array($0.items.filter { $0 != "content-transfer-encoding" }) })
        }
    }

    @Test func aTapHearsOneTransactionAndNoFieldIsAdded() async throws {
        let client = proxy.client(of: alice)
        _ = try await client.post(Mailbox.sendPath, mail()).json(202)
        let usual = try #require(try transaction())
        #expect(usual.count(of: "MAIL") == 1 && usual.count(of: "DATA") == 1 && usual.messages.count == 1)
        var sent: [(what: String, message: [UInt8], named: String)] = []
        var refused = 0
        var received = 1
        for field in Self.fields {
            for value in Self.values {
                let what = "\(field) \(value.prefix(40).debugDescription)"
                let reply = try await client.post(Mailbox.sendPath, mail(field, value))
                let heard = try transaction()
                guard reply.status == 202 else {
                    // A name that nobody has is refused by Postfix, for the recipient or for the sender.
                    #expect(
                        reply.status == 422 || reply.code == "recipients_refused", "\(what): \(reply.text.prefix(300))")
                    #expect(reply.isCleanProblem && (heard?.messages ?? []).allSatisfy(\.isEmpty), "\(what)")
                    refused += 1
                    continue
                }
                #expect(reply.json["state"] == "sent", "\(what): \(reply.text.prefix(300))")
                let written = try #require(heard, "\(what)")
                #expect(
                    written.count(of: "MAIL") == 1 && written.count(of: "DATA") == 1, "\(what): \(written.commands)")
                let recipients = written.commands.filter { $0.hasPrefix("RCPT") }
                if field == "to" {
                    // Another domain, to which no mail leaves.
                    #expect(recipients.count == 1 && recipients[0].filter { $0 == ">" } == ">", "\(what)")
                } else {
                    #expect(recipients == ["RCPT TO:<\(bob.email)>"], "\(what): \(recipients)")
                    received += 1
                }
                #expect(
                    written.commands.contains { $0.hasPrefix("MAIL FROM:<\(alice.email)>") },
                    "\(what): \(written.commands)")
                try #require(written.messages.count == 1, "\(what)")
                sent.append(
                    (what, written.messages[0], field == "name of a header" ? "x-own" + value.lowercased() : ""))
            }
        }
        let expected = try await headers(of: usual.messages)[0]
        for (mail, found) in zip(sent, try await headers(of: sent.map { $0.message })) {
            // Who names a header field gets that one.
            let own = found.items.map { part in JSON.array(part.items.map { $0.string == mail.named ? "x-own" : $0 }) }
            #expect(JSON.array(own) == expected, "\(mail.what): \(found)")
        }
        print("hostile values in SMTP: \(refused) refused, \(sent.count) sent")
        try await arrived(received)
        // The copies in Sent, and what was looked for to be marked as answered.
        for speech in proxy.imap.take(of: alice) {
            let tags = try WrittenCommand.all(in: speech.bytes).map(\.tag)
            #expect(tags == tags.indices.map { "A\($0 + 1)" })
        }
        proxy.service.stop()
    }

    /// As many mails as were sent, and not one with a field of the attacker's.
    private func arrived(_ count: Int) async throws {
        var folders: [String: Int] = [:]
        try await eventually(within: .seconds(60), "all are delivered") {
            for folder in ["INBOX", "Junk"] { folders[folder] = try await bob.messages(folder)["total"].int }
            return folders.values.reduce(0, +) == count
        }
        for (folder, total) in folders {
            let uids = try await bob.imap(.password(bob.password), ["uids", .string(folder)])[1].items
            let raw = try await bob.imap(.password(bob.password), actions: uids.map { ["raw", .string(folder), $0] })
            let mails = raw.dropFirst().compactMap { answer in
                answer.string.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
            }
            #expect(mails.count == total)
            for parts in try await headers(of: mails) {
                let names = Set(parts.items.flatMap(\.strings))
                #expect(names.isDisjoint(with: ["x-injected", "x-folded", "bcc"]), "\(names)")
            }
        }
    }
}
