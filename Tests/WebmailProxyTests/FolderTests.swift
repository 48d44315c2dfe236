import MailModel
import Testing

@testable import IMAP
@testable import WebmailProxy

@Suite struct FolderRoleTests {
    private func folder(_ path: String, _ attributes: MailboxAttribute...) -> ListedMailbox {
        ListedMailbox(name: MailboxName(path), delimiter: "/", attributes: attributes)
    }

    @Test func theServersWordCountsFirst() {
        let roles = FolderRole.folders(in: [
            folder("Sent"), folder("Outgoing", .sent), folder("INBOX"), folder("Trash", .trash), folder("Papierkorb"),
        ])
        #expect(roles[.sent]?.name == "Outgoing" && roles[.trash]?.name == "Trash" && roles[.inbox] == .inbox)
        #expect(Set(roles.values).count == roles.count)
    }

    @Test func namesThatPeopleKnowAreUnderstood() {
        let roles = FolderRole.folders(in: [
            folder("INBOX"), folder("Gesendete Objekte"), folder("INBOX/Entwürfe"), folder("PAPIERKORB"),
            folder("Spam"),
            folder("Junk E-mail"), folder("Archives"), folder("Work/Trash"), folder("Sent", .noSelect),
        ])
        #expect(roles[.sent]?.name == "Gesendete Objekte")
        #expect(roles[.drafts]?.name == "INBOX/Entwürfe")
        #expect(roles[.trash]?.name == "PAPIERKORB")
        #expect(roles[.junk]?.name == "Spam")
        #expect(roles[.archive]?.name == "Archives")
    }
}

@Suite struct FolderPathTests {
    @Test func takesNamesOfAnyLanguage() throws {
        for path in ["Übersicht/2026", "日本語", "a&b", "🧑‍🚀", "x.y"] {
            #expect(try FolderPath.checked(path, delimiter: "/", field: "path").name == path)
        }
        #expect(try FolderPath.checked("inbox/kid", delimiter: "/", field: "path").name == "INBOX/kid")
        #expect(try FolderPath.checked("a/b", delimiter: ".", field: "path").name == "a/b")
    }

    @Test(arguments: [
        "", "/a", "a/", "a//b", "a\u{0}b", "a\r\nA1 DELETE INBOX", "a\u{7f}", "a\u{85}", "a\u{202e}b", "*", "a%", "..",
        " a", "a ", "a/ b", String(repeating: "x", count: 201), String(repeating: "a/", count: 600) + "b",
    ])
    func refuses(_ path: String) {
        let failure = #expect(throws: Failure.self) { try FolderPath.checked(path, delimiter: "/", field: "path") }
        #expect(failure?.fields.map(\.name) == ["path"])
    }

    @Test func joinsNamesByTheServersDelimiter() throws {
        let folder = NewFolder(name: "2026", parent: "Archive", path: nil, subscribed: nil)
        #expect(try folder.checkedPath(delimiter: "/").name == "Archive/2026")
        #expect(try folder.checkedPath(delimiter: ".").name == "Archive.2026")
        #expect(throws: Failure.self) { try folder.checkedPath(delimiter: nil) }
        let dotted = NewFolder(name: "a.b", parent: nil, path: nil, subscribed: nil)
        #expect(throws: Failure.self) { try dotted.checkedPath(delimiter: ".") }
        let change = FolderChange(name: "new", path: nil, subscribed: nil)
        #expect(try change.checkedPath(from: "a/b/c", delimiter: "/").name == "a/b/new")
        #expect(try change.checkedPath(from: "c", delimiter: "/").name == "new")
    }
}

@Suite struct MessageGroupTests {
    @Test func theNewestLeadsItsThread() {
        let groups = ThreadGroups(
            [MessageThread([1, 5, 3]), MessageThread([2]), MessageThread([7, 8])], among: [1, 2, 3, 5])
        #expect(groups.members(ledBy: 5) == [1, 5, 3])
        #expect(groups.members(ledBy: 2) == [2])
        #expect(groups.members(ledBy: 1) == nil && groups.members(ledBy: 8) == nil)
    }

    @Test func aThreadIsNamedForTheMessageItBeganWith() {
        var message = FetchedMessage(sequenceNumber: 1)
        var envelope = MessageEnvelope()
        envelope.messageID = "<b@x>"
        envelope.inReplyTo = "<a@x>"
        message.envelope = envelope
        #expect(ThreadID.of(message) == ThreadID.of("<a@x>"))
        let section = MessageSection(text: .headerFields(["REFERENCES"]))
        let bytes = Array("References: <root@x>\r\n <a@x>\r\n\r\n".utf8)
        message.sections = [FetchedSection(section: section, isDecoded: false, bytes: bytes)]
        #expect(ThreadID.of(message) == ThreadID.of("<root@x>"))
    }

    @Test func attachmentsAreRememberedByUID() {
        var known = AttachmentIndex.Known()
        known.note(70, true)
        known.note(3, false)
        known.note(4_000_000_000, true)
        #expect(known.hasAttachments(70) == true && known.hasAttachments(3) == false)
        #expect(known.hasAttachments(4) == nil && known.hasAttachments(4_000_000_000) == nil)
        #expect(known.bytes == 32)
    }

    @Test func batchesAreChecked() throws {
        let folder = MailboxName.inbox
        func batch(
            _ uids: [UInt32], _ action: MessageBatch.Action, target: String? = nil, flags: [String]? = nil
        ) -> MessageBatch {
            MessageBatch(uids: uids, action: action, target: target, flags: flags, mode: nil, permanent: nil)
        }
        try batch([3, 1, 3], .move, target: "Archive").check(in: folder)
        #expect(batch([3, 1, 3], .move).distinctUIDs == [1, 3])
        for (wrong, field) in [
            (batch([], .delete), "uids"), (batch([0], .delete), "uids.0"), (batch([1], .move), "target"),
            (batch([1], .move, target: "inbox"), "target"), (batch([1], .flags), "flags"),
            (batch([1], .delete, target: "Archive"), "target"), (batch(Array(1...1001), .delete), "uids"),
        ] {
            let failure = #expect(throws: Failure.self) { try wrong.check(in: folder) }
            #expect(failure?.fields.map(\.name) == [field])
        }
    }
}
