import Foundation
import TestSupport
import Testing

/// Every mail there is, read through the API: each part of it is answered, and nothing of it is an error.
@Suite(.timeLimit(.minutes(5))) struct ReadingTests {
    let platform: Platform
    let reader: Mailbox

    init() async throws {
        platform = try Platform()
        reader = try await platform.commonTenant().newMailbox(unique("reader"))
    }

    @Test func everyMailOfTheCorpusIsRead() async throws {
        let corpus = try MailCorpus()
        let delivered = try await reader.deliver(corpus.mails.map { ["path": .string($0.path)] })
        try #require(delivered.count == corpus.mails.count)
        let refused = zip(corpus.mails, delivered).filter { $1["accepted"] != true }.map(\.0.name)
        #expect(refused == [], "\(delivered.compactMap { $0["text"].string })")

        var listed: [JSON] = []
        for page in 1...3 { listed += try await reader.messages("INBOX", "?per_page=100&page=\(page)")["items"].items }
        let sorted = listed.sorted { ($0["uid"].int ?? 0) < ($1["uid"].int ?? 0) }
        try #require(sorted.count == corpus.mails.count)
        for (mail, item) in zip(corpus.mails, sorted) {
            try await check(mail, item)
        }
    }

    private func check(_ mail: MailCorpus.Mail, _ item: JSON) async throws {
        let path = reader.message("INBOX", try #require(item["uid"].int))
        let started = ContinuousClock.now
        let opened = try await reader.client.get(path)
        #expect(opened.status == 200, "\(mail.name): \(opened.text.prefix(300))")
        #expect(ContinuousClock.now - started < .seconds(3), "\(mail.name) takes too long to open")
        let message = opened.json
        for field in ["subject", "from_addr", "from_name", "date", "received_at", "size"] {
            #expect(message[field] == item[field], "\(mail.name): \(field) of the list and of the message")
        }
        let date = message["date"].string ?? ""
        #expect(date.utf8.count >= 20 && date.utf8.count <= 24 && date.hasSuffix("Z"), "\(mail.name): \(date)")
        #expect(
            !["subject", "from_name"].contains { message[$0].string?.contains { $0 == "\r" || $0 == "\n" } == true })
        try expect(mail, message)
        try await download(mail, path, message)
        for attachment in message["attachments"].items where attachment["message"] != .null {
            try await openEnclosed(mail, path, attachment)
        }
    }

    private func expect(_ mail: MailCorpus.Mail, _ message: JSON) throws {
        let expected = mail.expected
        for field in ["subject", "date", "from_addr", "from_name"] where expected[field] != .null {
            #expect(message[field] == expected[field], "\(mail.name): \(field)")
        }
        let plain = message["plain"].string ?? "", html = message["html"].string ?? ""
        if let words = expected["plain"].string { #expect(plain.contains(words), "\(mail.name): \(plain.prefix(300))") }
        if let words = expected["html"].string { #expect(html.contains(words), "\(mail.name): \(html.prefix(500))") }
        if let words = expected["not_html"].string {
            #expect(!html.contains(words), "\(mail.name): \(html.prefix(500))")
        }
        if let blocked = expected["blocked"].int {
            #expect(message["remote_images_blocked"].int == blocked, "\(mail.name)")
        }
        let attachments = message["attachments"].items
        if expected["attachments"] != .null {
            #expect(attachments.map { $0["filename"] } == expected["attachments"].items, "\(mail.name)")
        }
        for name in expected["inline"].items {
            #expect(attachments.first { $0["filename"] == name }?["inline"] == true, "\(mail.name): \(name) is shown")
        }
        let inner = expected["inner"]
        if inner != .null {
            let attachment = attachments.first { $0["part"] == inner["part"] }
            #expect(attachment?["message"]["subject"] == inner["subject"], "\(mail.name)")
        }
    }

    /// Every attachment and the message itself, whole, as a download that runs nothing.
    private func download(_ mail: MailCorpus.Mail, _ path: String, _ message: JSON) async throws {
        let raw = try await reader.client.get(path + "/raw")
        #expect(raw.status == 200 && raw.headers["content-type"] == "message/rfc822", "\(mail.name)")
        #expect(raw.headers["content-length"] == "\(raw.body.count)" && raw.body.count == message["size"].int)
        for attachment in message["attachments"].items.prefix(5) {
            let part = attachment["part"].string ?? ""
            let file = try await reader.client.get("\(path)/attachments/\(part)")
            #expect(file.status == 200, "\(mail.name) \(part): \(file.text.prefix(300))")
            #expect(file.headers["content-length"] == "\(file.body.count)", "\(mail.name) \(part)")
            #expect(abs(file.body.count - (attachment["size"].int ?? -10)) <= 12, "\(mail.name) \(part): its size")
            let type = file.headers["content-type"] ?? ""
            #expect(type == "application/octet-stream" || type.hasPrefix("image/") && !type.contains("svg"), "\(type)")
            #expect(file.headers["content-security-policy"]?.contains("sandbox") == true)
            #expect(file.headers["x-content-type-options"] == "nosniff")
            let disposition = file.headers["content-disposition"] ?? ""
            #expect(disposition.hasPrefix(type.hasPrefix("image/") ? "inline" : "attachment"), "\(disposition)")
            #expect(!disposition.contains("/") || disposition.contains("%2F"), "\(disposition)")
        }
    }

    private func openEnclosed(_ mail: MailCorpus.Mail, _ path: String, _ attachment: JSON) async throws {
        let part = attachment["part"].string ?? ""
        let inner = try await reader.client.get("\(path)?part=\(part)").json(200)
        #expect(inner["part"].string == part && inner["subject"] == attachment["message"]["subject"], "\(mail.name)")
        let wanted = mail.expected["inner"]
        guard wanted["part"].string == part else { return }
        #expect(inner["html"].string?.contains(wanted["html"].string ?? "-") == true, "\(mail.name)")
        #expect(inner["attachments"].items.map { $0["filename"] } == wanted["attachments"].items, "\(mail.name)")
        for attachment in inner["attachments"].items {
            let file = try await reader.client.get("\(path)/attachments/\(attachment["part"].string ?? "")")
            #expect(file.status == 200 && file.text == "hello world", "\(mail.name): \(file.text.prefix(300))")
        }
    }

    @Test func whatIsNoPartIsNotFound() async throws {
        let corpus = try MailCorpus()
        let mail = try #require(corpus.mails.first { $0.name == "forwarded" })
        _ = try await reader.deliver([["path": .string(mail.path)]])
        let path = reader.message("INBOX", 1)
        for part in ["0", "3", "2.9", "2.0", "1.1", "x", "2.", ".2", "02", "99999999999999999999", "1)", "2.1.1.1"] {
            #expect(try await reader.client.get("\(path)/attachments/\(escaped(part))").status == 404, "\(part)")
            #expect(try await reader.client.get("\(path)?part=\(escaped(part))").status == 404, "\(part)")
        }
        #expect(try await reader.client.get("\(path)?part=1").status == 404, "a text is no message")
        #expect(try await reader.client.get("\(path)?remote_images=maybe").status == 422)
    }

    @Test func tenThousandPartsAreListedUpToABound() async throws {
        #expect(try await reader.deliver([["parts": 9990]])[0]["accepted"] == true)
        let started = ContinuousClock.now
        let message = try await reader.client.get(reader.message("INBOX", 1)).json(200)
        #expect(ContinuousClock.now - started < .seconds(5), "unoptimised, and beside other tests")
        #expect(message["attachments"].items.count == 1000 && message["attachments_truncated"] == true)
        #expect(message["plain"].string == "small words")
        #expect(try await reader.client.get(reader.message("INBOX", 1) + "/attachments/9990").text == "x")
        #expect(try await reader.messages()["items"][0]["has_attachments"] == true)
    }

    @Test func aLongTextIsCutAndSaysSo() async throws {
        let text = String(
            repeating: "0123456789 abcdefghij 0123456789 abcdefghij 0123456789 abcdefg\r\n", count: 50_000)
        let mail = "From: a@outside.test\r\nSubject: long\r\n\r\n" + text
        _ = try await reader.deliver([["base64": .string(Data(mail.utf8).base64EncodedString())]])
        let message = try await reader.client.get(reader.message("INBOX", 1)).json(200)
        #expect(message["truncated"] == true)
        #expect((1 << 20...2 << 20).contains(message["plain"].string?.utf8.count ?? 0))
        #expect(try await reader.client.get(reader.message("INBOX", 1) + "/raw").body.count > 3 << 20)
    }

    @Test func aSubjectOfAMegabyteIsBounded() async throws {
        let mail = "From: a@outside.test\r\nSubject: " + String(repeating: "long ", count: 200_000) + "\r\n\r\nbody"
        _ = try await reader.deliver([["base64": .string(Data(mail.utf8).base64EncodedString())]])
        let listed = try await reader.client.get("/api/v1/mail/webmail/messages/INBOX")
        #expect(listed.status == 200 && listed.body.count < 1 << 20, "\(listed.body.count)")
        let message = try await reader.client.get(reader.message("INBOX", 1))
        #expect(message.status == 200 && message.body.count < 2 << 20, "\(message.body.count)")
    }
}
