import MailModel
import MariaDB
import Storage
import TestSupport
import Testing

/// The outbox and the keys that guard it, in a database of their own: the services would take the rows.
@Suite(.serialized) struct OutboxTests {
    let database: Database
    let mailbox: String
    let alias: String

    init() async throws {
        let endpoints = try TestStack.load().database
        let name = endpoints.name + "_outbox"
        let server = MariaDB(
            MariaDB.Configuration(
                socket: endpoints.socket, user: endpoints.user, password: endpoints.password,
                database: endpoints.name, connections: 1))
        try await server.execute("CREATE DATABASE IF NOT EXISTS \(unsafeRaw: name) CHARACTER SET utf8mb4")
        database = Database(
            Database.Configuration(
                socket: endpoints.socket, host: "127.0.0.1", port: 3306, user: endpoints.user,
                password: endpoints.password, database: name, connections: 4))
        try await database.migrate()
        try await server.execute("DELETE FROM \(unsafeRaw: name).outbox")
        await server.close()
        let customer = try await database.customers.create(name: "Sender", by: .command)
        let host = "o" + String(UInt64.random(in: 0 ... .max), radix: 36) + ".test"
        let domain = try await database.domains.create(
            .init(name: DomainName(host), customerID: customer.id, keys: []), by: .command)
        mailbox = try await database.accounts.create(
            domainID: domain.id,
            .init(localPart: "info", passwordHash: "{PLAIN}x", quotaMB: 100, displayName: ""),
            scope: .everything, by: .command
        ).email
        _ = try await database.aliases.create(
            domainID: domain.id, .init(source: "sales", destinations: [try EmailAddress(mailbox)]), scope: .everything,
            by: .command)
        alias = "sales@\(host)"
    }

    private func entry(_ sender: String? = nil, sendAt: Int64? = nil, uploads: [Int64] = []) -> NewOutboxMessage {
        NewOutboxMessage(
            mailbox: mailbox, sender: sender ?? mailbox, messageID: "1@x.test", subject: "S", is8Bit: false,
            isUTF8: false, recipients: ["a@b.test", "c@d.test"], plan: .init(copyHeaders: "Bcc: x\r\n", draftUID: 4),
            sendAt: sendAt, uploads: uploads)
    }

    private var outbox: OutboxStore { database.outbox }

    /// Out of the way of the services that run on the same database.
    private var far: Int64 { Timestamp.now() + 3_600_000 }

    @Test func whatIsPutInIsThere() async throws {
        let lease = try await outbox.add(entry(sendAt: far), chunk: [1, 2, 3], claim: nil)
        let row = try await outbox.find(lease.id, mailbox: mailbox)
        #expect(row.state == .queued && row.size == 3 && row.pending == ["a@b.test", "c@d.test"])
        #expect(row.plan == .init(copyHeaders: "Bcc: x\r\n", draftUID: 4))
        #expect(try await outbox.piece(0, of: lease.id) == [1, 2, 3])
        #expect(try await outbox.piece(1, of: lease.id) == nil)
        #expect(try await outbox.list(mailbox: mailbox, .first).messages.map(\.id) == [lease.id])
        await #expect(throws: Failure.notFound("This message")) {
            try await outbox.find(lease.id, mailbox: "other@x.test")
        }
        try await outbox.stop(lease.id, mailbox: mailbox)
        #expect(try await outbox.find(lease.id, mailbox: mailbox).state == .stopped)
        #expect(try await outbox.piece(0, of: lease.id) == nil)
    }

    @Test func onlyOwnAddressesSend() async throws {
        try await outbox.checkSender(alias, of: mailbox)
        try await outbox.checkSender(mailbox.uppercased(), of: mailbox)
        for foreign in ["other@x.test", "info2@" + (mailbox.split(separator: "@").last ?? "")] {
            let failure = await #expect(throws: Failure.self) { try await outbox.checkSender(foreign, of: mailbox) }
            #expect(failure?.fields.first?.code == "sender_refused")
        }
        let nobody = await #expect(throws: Failure.self) { try await outbox.checkSender("x@y.test", of: "x@y.test") }
        #expect(nobody?.kind == .notFound)
    }

    @Test func piecesBecomeAMessageWhenItIsWhole() async throws {
        let id = try await outbox.begin(entry(sendAt: far))
        try await outbox.append([1], position: 0, to: id)
        await #expect(throws: Failure.self) { try await outbox.find(id, mailbox: mailbox) }
        _ = try await outbox.complete(id, entry(sendAt: far), size: 1, claim: nil)
        #expect(try await outbox.find(id, mailbox: mailbox).state == .queued)
        try await outbox.stop(id, mailbox: mailbox)
    }

    @Test func aLeaseIsOnePersonsUntilItEnds() async throws {
        let lease = try await outbox.add(entry(), chunk: [1], claim: nil)
        #expect(try await outbox.find(lease.id, mailbox: mailbox).state == .submitting)
        #expect(try await outbox.renew(lease))
        let stop = await #expect(throws: Failure.self) { try await outbox.stop(lease.id, mailbox: mailbox) }
        #expect(stop?.code == "already_sent")
        // Nobody else gets what is leased, and nobody the same as another, however many ask.
        var due: [Int64] = []
        for _ in 0..<6 { due.append(try await outbox.add(entry(sendAt: 1), chunk: [1], claim: nil).id) }
        let claimed = try await withThrowingTaskGroup(of: [Int64].self) { [outbox] group in
            for _ in 0..<4 { group.addTask { try await outbox.claim(atMost: 50).map(\.message.id) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(claimed.sorted() == due)
        var recipients = try await outbox.find(lease.id, mailbox: mailbox).recipients
        recipients[0].state = .accepted
        recipients[1].state = .rejected
        #expect(try await outbox.accepted(lease, recipients: recipients))
        let row = try await outbox.find(lease.id, mailbox: mailbox)
        #expect(row.state == .sent && row.filing == .due && row.accepted == ["a@b.test"])
        try await outbox.filed(lease, folder: "Sent", uid: 7, retryAt: nil)
        let filed = try await outbox.find(lease.id, mailbox: mailbox)
        #expect(filed.filing == .done && filed.sentUID == 7 && filed.nextAt == nil)
        #expect(try await outbox.piece(0, of: lease.id) == nil)
        #expect(try await !outbox.renew(lease))
    }

    @Test func whereTheCopyIsStaysKnownWhenOthersGetItLater() async throws {
        let lease = try await outbox.add(entry(), chunk: [1], claim: nil)
        var recipients = try await outbox.find(lease.id, mailbox: mailbox).recipients
        recipients[0].state = .accepted
        #expect(try await outbox.accepted(lease, recipients: recipients))
        try await outbox.filed(lease, folder: "Sent", uid: 7, retryAt: 1)
        let claimed = try await outbox.claim(atMost: 50)
        let again = try #require(claimed.first { $0.message.id == lease.id })
        #expect(again.message.filing == .done && again.message.state == .submitting)
        recipients[1].state = .accepted
        #expect(try await outbox.accepted(again.lease, recipients: recipients))
        try await outbox.filed(again.lease, folder: nil, uid: nil, retryAt: nil)
        let row = try await outbox.find(lease.id, mailbox: mailbox)
        #expect(row.state == .sent && row.nextAt == nil && row.sentFolder == "Sent" && row.sentUID == 7)
    }

    @Test func whatFailedForSomeIsStillFiledAndALostCopyIsTold() async throws {
        let before = try await outbox.waiting()
        let lease = try await outbox.add(entry(), chunk: [1], claim: nil)
        let waiting = try await outbox.waiting()
        #expect(waiting.count == before.count + 1 && waiting.oldest != nil)
        var recipients = try await outbox.find(lease.id, mailbox: mailbox).recipients
        recipients[0].state = .accepted
        #expect(try await outbox.accepted(lease, recipients: recipients))
        recipients[1].state = .rejected
        let at = far
        #expect(
            try await outbox.failed(lease, recipients: recipients, .init(code: "x", message: "x"), filingAt: at))
        let failed = try await outbox.find(lease.id, mailbox: mailbox)
        #expect(failed.state == .sent && failed.filing == .due && failed.nextAt == at && failed.trouble?.code == "x")
        #expect(try await outbox.waiting().count == before.count)

        let other = try await outbox.add(entry(), chunk: [1], claim: nil)
        #expect(try await outbox.accepted(other, recipients: recipients))
        try await outbox.filingGivenUp(other, .init(code: "copy_not_kept", message: "x"), retryAt: nil)
        let given = try await outbox.find(other.id, mailbox: mailbox)
        #expect(given.state == .sent && given.filing == .done && given.trouble?.code == "copy_not_kept")
        #expect(try await outbox.list(mailbox: mailbox, .first).messages.contains { $0.id == other.id })
        #expect(try await outbox.piece(0, of: other.id) == nil)
        try await outbox.stop(other.id, mailbox: mailbox)
    }

    @Test func whatIsPostponedKeepsItsReason() async throws {
        let lease = try await outbox.add(entry(), chunk: [1], claim: nil)
        let recipients = try await outbox.find(lease.id, mailbox: mailbox).recipients
        #expect(
            try await outbox.postpone(
                lease, recipients: recipients, until: far, .init(code: "away", message: "Away."), isServerAway: false,
                isDoubtful: false))
        let row = try await outbox.find(lease.id, mailbox: mailbox)
        #expect(row.state == .queued && row.trouble?.code == "away" && !row.isLeased)
        #expect(try await !outbox.failed(lease, recipients: recipients, .init(code: "x", message: "x"), filingAt: far))
        try await outbox.stop(lease.id, mailbox: mailbox)
    }

    @Test func aKeyIsHeldReplayedAndReused() async throws {
        let keys = database.idempotency
        let key = String(UInt64.random(in: 0 ... .max), radix: 16)
        guard case .run(let claim) = try await take(key, "A") else { throw Failure.notFound("The claim") }
        await #expect(throws: IdempotencyClaim.inProgress) { try await take(key, "A") }
        await #expect(throws: IdempotencyClaim.reused) { try await take(key, "B") }
        try await keys.finish(claim, status: 201, answer: [7])
        #expect(try await take(key, "A") == .replay(status: 201, answer: [7]))
        let other = key + "2"
        guard case .run(let second) = try await take(other, "A") else { throw Failure.notFound("The claim") }
        try await keys.release(second)
        guard case .run = try await take(other, "B") else { throw Failure.notFound("The claim") }
    }

    private func take(_ key: String, _ hash: String) async throws -> IdempotencyStore.Outcome {
        try await database.idempotency.claim(
            keyHash: key, requestHash: hash, duration: 60_000, isRunning: { _ in false })
    }

    @Test func aKeyNamesWhatWasMadeWithIt() async throws {
        let key = String(UInt64.random(in: 0 ... .max), radix: 16)
        guard case .run(let claim) = try await take(key, "A") else { throw Failure.notFound("The claim") }
        let lease = try await outbox.add(entry(sendAt: far), chunk: [1], claim: claim)
        guard case .run(let again) = try await take(key, "A") else { throw Failure.notFound("The claim") }
        #expect(again.made == lease.id)
        // A claim that has been taken over makes nothing.
        let stale = IdempotencyClaim(keyHash: key, token: claim.token + 1)
        await #expect(throws: IdempotencyClaim.inProgress) {
            try await outbox.add(entry(sendAt: far), chunk: [1], claim: stale)
        }
        #expect(try await outbox.list(mailbox: mailbox, .first).total == 1)
        try await outbox.stop(lease.id, mailbox: mailbox)
    }

    @Test func uploadsBelongToTheirMailboxAndAreConsumed() async throws {
        let uploads = database.uploads
        let id = try await uploads.begin(
            mailbox: mailbox, filename: "a", contentType: "text/plain", atMost: 2, bytes: 9)
        try await uploads.append([1, 2], position: 0, to: id)
        await #expect(throws: Failure.self) { try await uploads.find(id, mailbox: mailbox) }
        let large = await #expect(throws: Failure.self) {
            try await uploads.finish(id, size: 10, mailbox: mailbox, atMost: 9)
        }
        #expect(large?.code == "too_many_uploads")
        #expect(try await uploads.finish(id, size: 2, mailbox: mailbox, atMost: 9).size == 2)
        await #expect(throws: Failure.self) {
            try await uploads.begin(mailbox: mailbox, filename: "b", contentType: "text/plain", atMost: 2, bytes: 2)
        }
        await #expect(throws: Failure.self) { try await uploads.find(id, mailbox: alias) }
        await #expect(throws: Failure.self) { try await uploads.delete(id, mailbox: alias) }
        _ = try await uploads.begin(mailbox: mailbox, filename: "b", contentType: "text/plain", atMost: 2, bytes: 9)
        let full = await #expect(throws: Failure.self) {
            try await uploads.begin(mailbox: mailbox, filename: "c", contentType: "text/plain", atMost: 2, bytes: 9)
        }
        #expect(full?.code == "too_many_uploads")
        let lease = try await outbox.add(entry(sendAt: far, uploads: [id]), chunk: [1], claim: nil)
        await #expect(throws: Failure.self) { try await uploads.find(id, mailbox: mailbox) }
        try await outbox.stop(lease.id, mailbox: mailbox)
    }
}
