import Foundation
import TestSupport
import Testing

/// What a call costs on the wire, as a tap between webmail-proxy and Dovecot hears it.
@Suite(.timeLimit(.minutes(1))) struct RoundTripTests {
    private static let attachment = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })

    let reader: Mailbox
    let proxy: TappedProxy

    init() async throws {
        let platform = try Platform()
        reader = try await platform.commonTenant().newMailbox(unique("reader"))
        proxy = try await TappedProxy(platform)
        let encoded = Self.attachment.base64EncodedString(
            options: [.lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed])
        let large = """
            From: friend@elsewhere.example\r
            To: \(reader.email)\r
            Subject: Large\r
            MIME-Version: 1.0\r
            Content-Type: multipart/mixed; boundary=m\r
            \r
            --m\r
            Content-Type: text/plain\r
            \r
            Hello.\r
            --m\r
            Content-Type: application/octet-stream; name=large.bin\r
            Content-Disposition: attachment; filename=large.bin\r
            Content-Transfer-Encoding: base64\r
            \r
            \(encoded)\r
            --m--\r

            """
        let mails =
            [large]
            + ["Two", "Three", "Four"].map {
                plainMail(from: "friend@elsewhere.example", to: reader.email, subject: $0)
            }
        let delivered = try await reader.deliver(
            mails.map { ["base64": .string(Data($0.utf8).base64EncodedString())] })
        try #require(delivered.allSatisfy { $0["accepted"] == true })
    }

    private var client: Client { proxy.client(of: reader) }
    private var inbox: String { "/api/v1/mail/webmail/messages/INBOX" }

    /// Makes a call and holds that it took so many round trips, all of whole commands.
    @discardableResult private func expect(
        _ count: Int, _ what: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ call: () async throws -> Reply
    ) async throws -> Reply {
        _ = proxy.imap.take()
        let reply = try await call()
        let speeches = proxy.imap.take(of: reader)
        #expect(
            (200..<300).contains(reply.status), "\(what): \(reply.text.prefix(300))", sourceLocation: sourceLocation)
        var verbs: [String] = []
        for speech in speeches { verbs += try WrittenCommand.all(in: speech.bytes).map(\.verb) }
        let turns = speeches.reduce(0) { $0 + $1.turns.count }
        print("IMAP round trips: \(turns) for \(what) (\(verbs.joined(separator: ", ")))")
        #expect(turns == count, "\(what): \(verbs)", sourceLocation: sourceLocation)
        return reply
    }

    /// docs/flows.md says which calls take more than one.
    @Test func aWarmCallTakesAsManyRoundTripsAsIsSaid() async throws {
        let folders = "/api/v1/mail/webmail/folders"
        // What a session learns once: its folder, the roles, the sizes.
        for path in [folders, inbox, folders, inbox] { #expect(try await client.get(path).status == 200) }
        let state = try await client.get(inbox).json(200)["modseq"].int ?? 0

        try await expect(1, "folders") { try await client.get(folders) }
        try await expect(1, "a page that was shown") { try await client.get(inbox) }
        try await expect(1, "a page that was not") { try await client.get(inbox + "?per_page=3") }
        try await expect(1, "a deep page") { try await client.get(inbox + "?per_page=1&page=4") }
        try await expect(1, "opening a listed mail") { try await client.get(inbox + "/2") }
        try await expect(1, "opening it again") { try await client.get(inbox + "/2") }
        try await expect(1, "opening and marking as read") { try await client.get(inbox + "/3?mark_seen=true") }
        try await expect(1, "flags") {
            try await client.post(inbox + "/2/flags", ["flags": ["\\Flagged"], "mode": "add"])
        }
        try await expect(1, "flags of many") {
            try await client.post(
                inbox + "/batch", ["uids": [1, 2, 3, 4], "action": "flags", "flags": ["$Label"], "mode": "add"])
        }
        try await expect(1, "a page after flags") { try await client.get(inbox) }
        try await expect(1, "changes") {
            try await client.get("/api/v1/mail/webmail/changes/INBOX?since=\(state)")
        }
        try await expect(2, "a search") { try await client.get(inbox + "?q=subject:two") }
        try await expect(2, "a filter") { try await client.get(inbox + "?unseen=true") }
        try await expect(2, "a sorted page") { try await client.get(inbox + "?sort=subject") }
        try await expect(2, "threads") { try await client.get(inbox + "?threads=true") }
        try await expect(1, "a raw mail") { try await client.get(inbox + "/1/raw") }
        let file = try await expect(1, "an attachment") { try await client.get(inbox + "/1/attachments/2") }
        #expect(file.body == Self.attachment)
        try await expect(1, "a move") { try await client.post(inbox + "/3/move", ["target": "Archive"]) }
        try await expect(1, "a deletion") { try await client.delete(inbox + "/4") }
        proxy.service.stop()
    }
}
