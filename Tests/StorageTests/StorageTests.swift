import MailModel
import Storage
import TestSupport
import Testing

/// The stores on the real database; each test makes its own customer.
@Suite struct StorageTests {
    let database: Database

    init() async throws {
        let endpoints = try TestStack.load().database
        database = Database(
            Database.Configuration(
                socket: endpoints.socket, host: "127.0.0.1", port: 3306, user: endpoints.user,
                password: endpoints.password, database: endpoints.name, connections: 2))
        try await database.migrate()
    }

    private static func unique() -> String { "t" + String(UInt64.random(in: 0 ... .max), radix: 36) }

    private struct Tenant {
        let customer: Customer
        let domain: Domain
        let account: Account
    }

    private func tenant() async throws -> Tenant {
        let customer = try await database.customers.create(name: "Tenant", by: .command)
        let domain = try await database.domains.create(
            .init(name: DomainName(Self.unique() + ".test"), customerID: customer.id, keys: []), by: .command)
        let account = try await database.accounts.create(
            domainID: domain.id,
            .init(localPart: "Info", passwordHash: "{PLAIN}x", quotaMB: 100, displayName: "Info"),
            scope: .customer(customer.id), by: .command)
        return Tenant(customer: customer, domain: domain, account: account)
    }

    @Test func migratingAgainChangesNothing() async throws {
        let version = try await database.schemaVersion()
        try await database.migrate()
        #expect(try await database.schemaVersion() == version)
    }

    @Test func migratesOnceHoweverManyStartTogether() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { [database] in try await database.migrate() } }
            try await group.waitForAll()
        }
    }

    @Test func domainCountsItsMailboxes() async throws {
        let tenant = try await tenant()
        let domain = try await database.domains.find(tenant.domain.id, scope: .everything)
        #expect(domain.accounts == 1)
        #expect(domain.quotaMB == 100)
        #expect(tenant.account.email == "info@\(tenant.domain.domain)")
    }

    @Test func whatIsForeignDoesNotExist() async throws {
        let (mine, theirs) = (try await tenant(), try await tenant())
        let scope = Scope.customer(mine.customer.id)
        await #expect(throws: Failure.notFound("This domain")) {
            try await database.domains.find(theirs.domain.id, scope: scope)
        }
        await #expect(throws: Failure.notFound("This domain")) { try await database.domains.find(-1, scope: scope) }
        await #expect(throws: Failure.notFound("This mailbox")) {
            try await database.accounts.find(theirs.account.id, scope: scope)
        }
        await #expect(throws: Failure.notFound("This mailbox")) {
            try await database.accounts.setPassword(theirs.account.id, hash: "x", scope: scope, by: .command)
        }
        await #expect(throws: Failure.notFound("This customer")) {
            try await database.customers.find(theirs.customer.id, scope: scope)
        }
        let listed = try await database.domains.list(.init(), .first, scope: scope)
        #expect(listed.items.map(\.id) == [mine.domain.id])
        #expect(try await database.accounts.find(email: theirs.account.email, scope: scope) == nil)
        #expect(try await database.accounts.find(email: mine.account.email, scope: .accounts([])) == nil)
        let own = Scope.accounts([mine.account.email])
        #expect(try await database.accounts.find(email: mine.account.email, scope: own)?.id == mine.account.id)
        await #expect(throws: Failure.notFound("This domain")) {
            try await database.domains.find(mine.domain.id, scope: own)
        }
    }

    @Test func takenNamesConflict() async throws {
        let tenant = try await tenant()
        await #expect(throws: Failure.self) {
            try await database.accounts.create(
                domainID: tenant.domain.id,
                .init(localPart: "info", passwordHash: "", quotaMB: 1, displayName: ""),
                scope: .everything, by: .command)
        }
        await #expect(throws: Failure.self) {
            try await database.domains.create(
                .init(name: DomainName(tenant.domain.domain), customerID: tenant.customer.id, keys: []), by: .command)
        }
    }

    @Test func suspensionIsOneTransactionWithItsRevocation() async throws {
        let tenant = try await tenant()
        let last = try await database.revocations.after(0).last?.id ?? 0
        let revocation = try await database.accounts.setSuspended(
            tenant.account.id, true, scope: .everything, by: .command)
        let told = try #require(revocation)
        #expect(try await database.revocations.after(last).contains(told))
        #expect(told.kind == .account && told.value == tenant.account.email)
        #expect(try await database.accounts.login(email: tenant.account.email)?.isActive == false)
        #expect(
            try await database.accounts.setSuspended(tenant.account.id, false, scope: .everything, by: .command) == nil)
        #expect(try await database.accounts.login(email: tenant.account.email)?.isActive == true)
        let all = try await database.domains.setSuspended(tenant.domain.id, true, scope: .everything, by: .command)
        #expect(all.map(\.value) == [tenant.account.email])
        #expect(try await database.accounts.login(email: tenant.account.email)?.isActive == false)
    }

    private func open(_ subject: String, family: String, refreshHash: String) async throws {
        let now = Timestamp.now()
        try await database.sessions.open(
            SessionOpening(
                family: family, refreshHash: refreshHash, issuedAt: now, expiresAt: now + 60_000,
                origin: SessionOrigin(ip: "192.0.2.1")),
            subject: subject)
    }

    private func rotate(_ hash: String, to successor: String) async throws -> SessionStore.Rotation {
        try await database.sessions.rotate(
            .init(hash: hash, clientID: nil), to: successor, expiresAt: Timestamp.now() + 60_000)
    }

    private static func isRotated(_ rotation: SessionStore.Rotation, family: String) -> Bool {
        guard case .rotated(let session) = rotation else { return false }
        return session.family == family && session.subject == "user:0" && session.mailbox == nil
    }

    @Test func refreshTokenWorksOnceAndItsReuseIsSeen() async throws {
        let names = (0..<4).map { _ in Self.unique() + String(repeating: "0", count: 40) }
        let family = String(Self.unique().prefix(22))
        try await open("user:0", family: family, refreshHash: names[0])
        #expect(Self.isRotated(try await rotate(names[0], to: names[1]), family: family))
        #expect(try await rotate(names[0], to: names[2]) == .reused(family: family))
        #expect(Self.isRotated(try await rotate(names[1], to: names[3]), family: family))
        _ = try await database.revocations.add(.family, family)
        #expect(try await rotate(names[3], to: names[2]) == .invalid)
        #expect(try await rotate("unknown", to: names[2]) == .invalid)
    }

    @Test func changedPasswordEndsTheMailboxesSessions() async throws {
        let tenant = try await tenant()
        let (first, second) = (Self.unique(), Self.unique())
        try await open(
            "account:\(tenant.account.id)", family: String(Self.unique().prefix(22)), refreshHash: first)
        _ = try await database.accounts.setPassword(tenant.account.id, hash: "y", scope: .everything, by: .command)
        #expect(try await rotate(first, to: second) == .invalid)
    }

    /// A login that had looked at its owner before the revocation gets no session that outlives it.
    @Test func aSessionAskedForBeforeARevocationIsDead() async throws {
        let tenant = try await tenant()
        let (first, second) = (Self.unique(), Self.unique())
        let before = Timestamp.now() - 100
        _ = try await database.revocations.add(.account, tenant.account.email)
        try await database.sessions.open(
            SessionOpening(
                family: String(Self.unique().prefix(22)), refreshHash: first, issuedAt: before,
                expiresAt: Timestamp.now() + 60_000, origin: SessionOrigin()),
            subject: "account:\(tenant.account.id)")
        #expect(try await rotate(first, to: second) == .invalid)
    }

    @Test func aRevocationNamesTheMailboxesWhoseSessionsEnd() async throws {
        let tenant = try await tenant()
        let email = tenant.account.email, family = String(Self.unique().prefix(22))
        let jti = String(Self.unique().prefix(22)), now = Timestamp.now()
        try await database.mailTokens.record(
            jti: jti, family: family, subject: "user:\(family)", email: email, issuedAt: now, expiresAt: now + 60_000)
        let values: [(Revocation.Kind, String)] = [
            (.account, email), (.jti, jti), (.family, family), (.user, "user:\(family)"),
        ]
        for (kind, value) in values {
            let made = try await database.revocations.add(kind, value)
            #expect(made.mailboxes == [email], "\(kind)")
            #expect(try await database.revocations.after(made.id - 1).contains(made), "\(kind)")
        }
        #expect(try await database.revocations.add(.family, "another").mailboxes.isEmpty)
    }

    @Test func aliasesNeverLeadBackToThemselves() async throws {
        let tenant = try await tenant()
        let domain = tenant.domain.domain
        func alias(_ source: String, _ destination: String) async throws -> Alias {
            try await database.aliases.create(
                domainID: tenant.domain.id, .init(source: source, destinations: [EmailAddress(destination)]),
                scope: .everything, by: .command)
        }
        #expect(try await alias("sales", "info@\(domain)").destination == ["info@\(domain)"])
        _ = try await alias("a", "b@\(domain)")
        _ = try await alias("b", "c@\(domain)")
        await #expect(throws: Failure.self) { try await alias("c", "a@\(domain)") }
        await #expect(throws: Failure.self) { try await alias("info", "x@example.com") }
        let page = try await database.aliases.list(domainID: tenant.domain.id, .first, scope: .everything)
        #expect(page.items.map(\.source) == ["a", "b", "sales"])
    }

    @Test func serviceTokenIsFoundByItsHashUntilItExpires() async throws {
        let (good, expired) = (Self.unique(), Self.unique())
        try await database.serviceTokens.create(name: "good", hash: good, scopes: ["mail:read", "mail:write"])
        try await database.serviceTokens.create(
            name: "expired", hash: expired, scopes: ["*"], expiresAt: Timestamp.now() - 1)
        let caller = try #require(try await database.serviceTokens.authenticate(hash: good))
        #expect(caller.may("mail:write") && !caller.may("auth:introspect"))
        #expect(try await database.serviceTokens.authenticate(hash: expired) == nil)
        #expect(try await database.serviceTokens.authenticate(hash: "no") == nil)
    }

    @Test func awayDatabaseIsUnavailableAtOnce() async throws {
        let nowhere = Database(
            Database.Configuration(
                socket: "/nonexistent/mariadb.sock", host: "", port: 0, user: "x", password: "x", database: "x",
                connections: 1))
        for _ in 0..<2 {
            let start = ContinuousClock.now
            await #expect(throws: Failure.unavailable("MariaDB")) { try await nowhere.ping() }
            #expect(start.duration(to: .now) < .milliseconds(250))
        }
        await nowhere.close()
    }
}
