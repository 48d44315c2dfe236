@testable import IMAP
import NIOCore
import Testing

@testable import WebmailProxy

/// A page that is kept as JSON, in which only flags change.
@Suite struct ListedMessagesTests {
    private func messages(_ flags: [UInt32: [MessageFlag]]) throws -> ListedMessages {
        ListedMessages(
            try [UInt32(9), 7, 4].map { uid in
                var message = FetchedMessage(sequenceNumber: uid)
                message.uid = uid
                message.envelope = MessageEnvelope()
                message.envelope?.subject = #""flags":[] \#(uid)"#
                message.preview = "one, two"
                message.flags = flags[uid] ?? []
                return try #require(ListedMessage(message, uidValidity: 1))
            })
    }

    private func text(_ messages: ListedMessages) -> String { String(buffer: messages.json) }

    @Test func holdsTheMessagesAsAnArray() throws {
        let json = text(try messages([7: [.seen]]))
        #expect(json.hasPrefix(#"[{"uid":9,"#) && json.hasSuffix("}]"))
        #expect(json.contains(#""flags":["\\Seen"],"seen":true,"flagged":false,"answered":false,"draft":false,"#))
        #expect(text(ListedMessages([])) == "[]")
        #expect(text(ListedMessages([]).with([1: [.seen]])) == "[]")
    }

    /// Whatever changes, and however often, the page is what it would be had it been fetched now.
    @Test func changesFlagsInPlace() throws {
        var page = try messages([7: [.seen], 4: [.flagged, MessageFlag(rawValue: "Work")]])
        let steps: [[UInt32: [MessageFlag]]] = [
            [9: [.seen, .answered, MessageFlag(rawValue: "$Forwarded")]], [7: [], 4: [.seen]], [4: []], [12: [.seen]],
            [9: [.recent], 7: [.seen, .recent], 4: [.draft]],
        ]
        var flags: [UInt32: [MessageFlag]] = [7: [.seen], 4: [.flagged, MessageFlag(rawValue: "Work")]]
        for step in steps {
            page = page.with(step)
            // As in a page that is kept.
            page.settle(in: ByteBuffer(string: "{\(text(page))}"), at: 1)
            flags.merge(step) { $1 }
            #expect(try text(page) == text(messages(flags)))
        }
    }
}
