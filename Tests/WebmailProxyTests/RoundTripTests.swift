import HummingbirdCore
import IMAP
import MailModel
import TestSupport
import Testing

@testable import WebmailProxy

/// What a call costs on a warm session of a real Dovecot: writes to the wire, each a round trip.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RoundTripTests {
    let session: MailSession
    /// Messages in INBOX.
    let uids: [UInt32]

    init() async throws {
        let stack = try TestStack.load()
        let connection = try await IMAPConnection.connect(
            IMAPConfiguration(host: stack.imapHost, port: stack.imapPort, security: .plain))
        try await connection.authenticate(.plain(user: stack.demoEmail, password: stack.demoPassword))
        session = MailSession(
            account: stack.demoEmail, connection: connection, startedAt: Timestamp.now(),
            cache: FolderCache(bytes: 1 << 20))
        var uids: [UInt32] = []
        for name in ["one", "two", "three", "four"] {
            let mail = Array("From: a@example.org\r\nSubject: \(name)\r\n\r\n\(name)\r\n".utf8)
            if let appended = try await connection.run(.append(mail, to: .inbox)) { uids.append(appended.uid) }
        }
        self.uids = uids
        // What a session learns once: its folder, and which one Trash is.
        _ = try await session.folders()
    }

    /// Makes a call, and holds that it was one write.
    private func inOneRoundTrip<Value>(
        _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ call: () async throws -> Value
    ) async throws -> Value {
        let before = session.connection.traffic.flushes
        let value = try await call()
        #expect(session.connection.traffic.flushes - before == 1, what, sourceLocation: sourceLocation)
        return value
    }

    @Test func everyWarmCallIsOneRoundTrip() async throws {
        let pin = UIDValidityPin(nil)
        let page = try await session.page(of: .inbox, try ListRequest(URI("/").queryParameters), uidValidity: nil)
        let since = try #require(page.modSeq)
        let again = try await inOneRoundTrip("page") {
            try await session.page(of: .inbox, try ListRequest(URI("/").queryParameters), uidValidity: nil)
        }
        #expect(again.modSeq == page.modSeq && again.total == page.total)
        // A page has shown it, so that its parts are known; then it is known itself.
        let images = MessageImages(links: ImageLinks(secret: "secret", base: ""), showsRemote: false)
        for what: Comment in ["open", "open again"] {
            let opened = try await inOneRoundTrip(what) {
                try await session.open(
                    uids[0], in: .inbox, uidValidity: nil, markSeen: false, images: images)
            }
            #expect(opened.flags == [])
        }
        _ = try await inOneRoundTrip("folders") { try await session.folders() }

        let flags = try await inOneRoundTrip("flags") {
            try await session.setFlags([.seen], mode: .add, of: uids[0], in: .inbox, uidValidity: nil)
        }
        #expect(flags.contains(.seen))

        let asked = try ChangesRequest(URI("/?since=\(since)").queryParameters)
        let changes = try await inOneRoundTrip("changes") {
            try await session.changes(in: .inbox, asked, uidValidity: page.uidValidity)
        }
        #expect(changes.changed.map(\.uid) + changes.new.map(\.uid) == [uids[0]])

        let moved = try await inOneRoundTrip("move") {
            try await session.move(uids[0], from: .inbox, to: "Archive", pin)
        }
        #expect(moved != nil)

        let some = MessageBatch(
            uids: [uids[1], uids[2]], action: .flags, target: nil, flags: ["\\Flagged"], mode: nil, permanent: nil)
        let flagged = try await inOneRoundTrip("batch of flags") {
            try await some.run(on: session, in: .inbox, pin)
        }
        #expect(flagged.done == [uids[1], uids[2]])

        try await inOneRoundTrip("delete") {
            try await session.delete(uids[1], from: .inbox, permanently: false, pin)
        }
        let rest = MessageBatch(
            uids: Array(uids[2...]), action: .delete, target: nil, flags: nil, mode: nil, permanent: true)
        let deleted = try await inOneRoundTrip("batch for good") { try await rest.run(on: session, in: .inbox, pin) }
        #expect(deleted.done == Set(uids[2...]))
        await session.connection.logout()
    }
}
