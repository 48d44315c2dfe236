import Foundation
import MailModel
import Testing

@Suite struct MailEventTests {
    static let message = MessageSummary(
        uid: 42, fromAddr: "sender@example.com", fromName: "Sender", subject: "Hello", date: "2026-01-02T03:04:05Z",
        preview: "Hi", flags: [])

    @Test(arguments: [
        MailEvent.Kind.newMessage(folder: "INBOX", message: message),
        .folderUpdate(folder: "INBOX", unseen: 5, exists: 42),
        .flagsChanged(folder: "Archive/2024", uid: 7, flags: ["\\Seen"]),
        .messageGone(folder: "INBOX", uid: 7),
        .resync,
        .sessionRevoked,
    ])
    func survivesJSON(kind: MailEvent.Kind) throws {
        let event = MailEvent(id: "1732300000000-0", account: "info@example.com", at: 1_732_300_000_123, kind: kind)
        let json = try JSONEncoder().encode(event)
        #expect(try JSONDecoder().decode(MailEvent.self, from: json) == event)
    }

    @Test func hasTheShapeOfTheContract() throws {
        let event = MailEvent(
            id: "1-0", account: "info@example.com", at: 0, kind: .folderUpdate(folder: "INBOX", unseen: 5, exists: 42))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(
            String(decoding: try encoder.encode(event), as: UTF8.self)
                == #"{"account":"info@example.com","at":"1970-01-01T00:00:00Z","data":{"exists":42,"folder":"INBOX","unseen":5},"id":"1-0","type":"mail.folder_update"}"#
        )
    }
}
