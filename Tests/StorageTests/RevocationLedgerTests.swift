import MailModel
import Storage
import Testing

/// What a revocation ends, and that nothing is ended twice.
@Suite struct RevocationLedgerTests {
    let fixture: Fixture
    var database: Database { fixture.database }

    init() async throws { fixture = try await Fixture() }

    @Test func aTokenIsRevokedOnceHoweverOftenItIsShown() async throws {
        let jti = Fixture.identifier()
        let made = try await withThrowingTaskGroup(of: (Revocation, Bool).self) { group in
            for _ in 0..<4 {
                group.addTask { try await database.revocations.addIfNew(.jti, jti, mailboxes: ["a@example.test"]) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(made.filter(\.1).count == 1, "\(made)")
        #expect(Set(made.map(\.0.id)).count == 1)
        #expect(made.allSatisfy { $0.0.mailboxes == ["a@example.test"] })
        let ledger = try await database.revocations.after(made[0].0.id - 1)
        #expect(ledger.filter { $0.value == jti }.count == 1)
    }

    @Test func whatWasKickedStaysKicked() async throws {
        let before = try await database.revocations.kickedUntil()
        try await database.revocations.noteKicked(until: before + 1)
        try await database.revocations.noteKicked(until: before)
        #expect(try await database.revocations.kickedUntil() >= before + 1)
        // Else a clock that was once ahead would have nobody kicked by those that start until then.
        let past = Timestamp.now() - 60_000
        try await database.revocations.noteKicked(until: Timestamp.now() + 3_600_000)
        try await database.revocations.noteKicked(until: past)
        let known = try await database.revocations.kickedUntil()
        #expect(known >= past && known <= Timestamp.now())
    }

    @Test func aSessionThatEndedWithItsOwnerEndsNothingMore() async throws {
        let tenant = try await fixture.tenant()
        let hashes = (0..<3).map { _ in Fixture.hash() }
        let opening = fixture.opening(
            refreshHash: hashes[0], origin: SessionOrigin(mailbox: tenant.account.email, scope: "imap smtp"))
        try await database.sessions.open(opening, subject: tenant.subject)
        let expiry = Timestamp.now() + 60_000
        _ = try await database.sessions.rotate(.init(hash: hashes[0], clientID: nil), to: hashes[1], expiresAt: expiry)
        #expect(
            try await database.sessions.rotate(.init(hash: hashes[0], clientID: nil), to: hashes[2], expiresAt: expiry)
                == .reused(family: opening.family))
        try await database.revocations.add(.account, tenant.account.email)
        let replay = try await database.sessions.rotate(
            .init(hash: hashes[0], clientID: nil), to: hashes[2], expiresAt: expiry)
        #expect(replay == .invalid, "what is over is not ended again")
        let first = try await database.revocations.addIfNew(.family, opening.family)
        #expect(first.isNew && first.revocation.mailboxes.isEmpty, "its mailbox has begun anew since")
        #expect(try await database.revocations.addIfNew(.family, opening.family).isNew == false)
    }

    @Test func theOldestOfTooManySessionsEndsWithItsTokens() async throws {
        let tenant = try await fixture.tenant()
        let last = try await database.revocations.after(0).last?.id ?? 0
        let openings = (0..<102).map { _ in fixture.opening() }
        for opening in openings { try await database.sessions.open(opening, subject: tenant.subject) }
        let families = Set(openings.map(\.family))
        let ended = try await database.revocations.after(last).filter { families.contains($0.value) }
        #expect(ended.count == 2 && ended.allSatisfy { $0.kind == .family && $0.mailboxes.isEmpty })
        let page = try await database.sessions.list(.subject(tenant.subject), .first)
        #expect(page.total == 100)
    }

    @Test func aSuspendedCustomerIsRevokedWithAllItHas() async throws {
        let tenant = try await fixture.tenant()
        let others = try await (0..<20).asyncMap { try await fixture.account("m\($0)", of: tenant.domain) }
        let user = try await fixture.user(of: tenant)
        let subject = "user:\(user.id)", foreign = try await fixture.tenant()
        try await database.mailTokens.record(
            jti: Fixture.identifier(), family: "", subject: subject, email: foreign.account.email,
            issuedAt: Timestamp.now(), expiresAt: Timestamp.now() + 60_000)
        let hash = Fixture.hash()
        try await database.sessions.open(fixture.opening(refreshHash: hash), subject: subject)
        let own = try await fixture.appPassword(of: tenant, by: tenant.subject)
        let made = try await fixture.appPassword(of: foreign, by: subject)

        let told = try await database.customers.setSuspended(tenant.customer.id, true, by: .command)
        #expect(told.count == 22)
        #expect(
            Set(told.filter { $0.kind == .account }.map(\.value))
                == Set(others.map(\.email) + [tenant.account.email]))
        #expect(told.filter { $0.kind == .account }.allSatisfy { $0.mailboxes == [$0.value] })
        let ended = try #require(told.first { $0.kind == .user })
        #expect(ended.value == subject && ended.mailboxes == [foreign.account.email])
        #expect(try await database.revocations.after(told[0].id - 1).contains(ended))
        let rotation = try await database.sessions.rotate(
            .init(hash: hash, clientID: nil), to: Fixture.hash(), expiresAt: Timestamp.now() + 60_000)
        #expect(rotation == .invalid)
        #expect(try await database.appPasswords.login(hash: own) == nil)
        #expect(try await database.appPasswords.login(hash: made) == nil)
    }

    @Test func anAppPasswordEndsWithItsMailboxAndWithWhoMadeIt() async throws {
        let tenant = try await fixture.tenant(), user = try await fixture.user(of: tenant)
        let token = try await database.serviceTokens.create(name: "panel", hash: Fixture.hash(), scopes: ["*"])
        let byUser = try await fixture.appPassword(of: tenant, by: "user:\(user.id)")
        let byPanel = try await fixture.appPassword(of: tenant, by: "service:\(token.id)")
        _ = try await database.serviceTokens.delete(token.id, by: .command)
        let revocation = try await database.users.change(
            user.id, .init(status: .suspended), scope: .everything, by: .command)
        #expect(revocation?.mailboxes == [tenant.account.email], "what it has open ends")
        #expect(try await database.appPasswords.login(hash: byUser) == nil)
        #expect(try await database.appPasswords.login(hash: byPanel) != nil, "people go on using it")
        try await database.revocations.add(.account, tenant.account.email)
        #expect(try await database.appPasswords.login(hash: byPanel) == nil)
    }
}

extension Sequence where Self: Sendable {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async throws -> [T] {
        var mapped: [T] = []
        for element in self { mapped.append(try await transform(element)) }
        return mapped
    }
}
