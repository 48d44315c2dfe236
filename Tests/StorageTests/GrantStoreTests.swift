import MailModel
import MariaDB
import Testing

@testable import Storage

/// What was granted is exchanged once, and only while whoever granted it may still.
@Suite struct GrantStoreTests {
    let fixture: Fixture
    var database: Database { fixture.database }

    init() async throws { fixture = try await Fixture() }

    private func keepCode(_ tenant: Fixture.Tenant, subject: String, authenticatedAt: Int64) async throws -> String {
        let hash = Fixture.hash()
        try await database.authorizationCodes.keep(
            AuthorizationGrant(
                clientID: "mutt", redirectURI: "http://127.0.0.1/", subject: subject, mailbox: tenant.account.email,
                scope: "imap", challenge: "c", authenticatedAt: authenticatedAt),
            hash: hash, expiresAt: Timestamp.now() + 60_000)
        return hash
    }

    private func redeem(_ hash: String, _ opening: SessionOpening) async throws -> AuthorizationCodeStore.Redemption {
        try await database.authorizationCodes.redeem(
            hash, clientID: "mutt", redirectURI: "http://127.0.0.1/", challenge: "c", opening: opening)
    }

    /// The password was shown, then changed, and only then the code was made.
    @Test func aCodeOfAnOldPasswordIsWorthNothing() async throws {
        let tenant = try await fixture.tenant(), user = try await fixture.user(of: tenant)
        let before = Timestamp.now() - 1000
        _ = try await database.accounts.setPassword(tenant.account.id, hash: "y", scope: .everything, by: .command)
        for subject in [tenant.subject, "user:\(user.id)"] {
            let code = try await keepCode(tenant, subject: subject, authenticatedAt: before)
            #expect(try await redeem(code, fixture.opening()) == .invalid, "\(subject)")
        }
        let after = try await keepCode(tenant, subject: tenant.subject, authenticatedAt: Timestamp.now() + 1)
        guard case .redeemed = try await redeem(after, fixture.opening()) else {
            Issue.record("the new password's code")
            return
        }
    }

    @Test func aGrantThatIsLookedAtIsNotUsedUp() async throws {
        let tenant = try await fixture.tenant()
        let code = try await keepCode(tenant, subject: tenant.subject, authenticatedAt: Timestamp.now() + 1)
        func look(_ clientID: String = "mutt") async throws -> AuthorizationGrant? {
            try await database.authorizationCodes.grant(
                code, clientID: clientID, redirectURI: "http://127.0.0.1/", challenge: "c")
        }
        #expect(try await look()?.mailbox == tenant.account.email)
        #expect(try await look("isync") == nil)
        guard case .redeemed = try await redeem(code, fixture.opening()) else {
            Issue.record("looked at, not used up")
            return
        }
        #expect(try await look() == nil)
    }

    @Test func aSecretThatWaitedTooLongIsNotConfirmed() async throws {
        let subject = "account:\(Fixture.unique())", factors = database.secondFactors
        func confirm(begunAfter moment: Int64) async throws -> Bool {
            try await factors.confirm(subject, step: 1, recoveryHashes: [], begunAfter: moment)
        }
        #expect(try await factors.begin(subject, sealed: [1]))
        #expect(try await confirm(begunAfter: Timestamp.now() + 1) == false)
        #expect(try await confirm(begunAfter: Timestamp.now() - 1000))
    }

    @Test func aForgottenMailboxTakesItsSecondFactorWithIt() async throws {
        let tenant = try await fixture.tenant(), factors = database.secondFactors
        #expect(try await factors.begin(tenant.subject, sealed: [1]))
        try await factors.replaceRecoveryCodes(tenant.subject, hashes: [Fixture.hash()])
        let id = tenant.account.id, later = Timestamp.now() + 60_000
        _ = try await database.accounts.delete(id, purgeAt: later, scope: .everything, by: .command)
        // At once with the right to do so: the stack's own admin-api ends whatever is due.
        let purge = try #require(try await database.accounts.purge(id, scope: .everything, by: .command))
        try await database.accounts.remove(purge)
        #expect(try await factors.secret(of: tenant.subject) == nil)
        #expect(try await factors.recoveryCodesLeft(of: tenant.subject) == 0)
    }

    /// An app password and its revocation are one: neither is there without the other.
    @Test func aDeletedAppPasswordIsRevoked() async throws {
        let tenant = try await fixture.tenant()
        let hash = try await fixture.appPassword(of: tenant, by: tenant.subject)
        let id = try #require(try await database.appPasswords.login(hash: hash)).id
        let made = try await database.appPasswords.delete(id, of: tenant.account.email)
        #expect(made.isNew && made.revocation.mailboxes == [tenant.account.email])
        #expect(made.revocation.value == AppPasswordStore.jti(id))
        #expect(try await database.appPasswords.login(hash: hash) == nil)
        #expect(try await database.appPasswords.delete(id, of: tenant.account.email).isNew == false)
    }

    /// A revocation that the exchange did not see yet still ends the session: it began when the password was shown.
    @Test func aSessionBeginsWhenItsPasswordWasShown() async throws {
        let tenant = try await fixture.tenant()
        let shown = Timestamp.now() - 5000, refresh = Fixture.hash()
        let code = try await keepCode(tenant, subject: tenant.subject, authenticatedAt: shown)
        let opening = fixture.opening(refreshHash: refresh)
        guard case .redeemed = try await redeem(code, opening) else {
            Issue.record("not redeemed")
            return
        }
        let created = try await database.query(
            "SELECT created_at FROM sessions WHERE family = \(opening.family)"
        ).first?.int64("created_at")
        #expect(created == shown)
    }

    @Test func aDeviceThatAnOldPasswordApprovedIsDenied() async throws {
        let tenant = try await fixture.tenant()
        let hash = Fixture.hash(), now = Timestamp.now()
        let code = String((0..<8).map { _ in "BCDFGHJKLMNPQRSTVWXZ".randomElement() ?? "B" })
        let network = Fixture.unique()
        let request = DeviceRequest(
            userCode: code, clientID: "mutt", scope: "imap", ip: "192.0.2.1", network: network, createdAt: now)
        #expect(
            try await database.deviceCodes.keep(
                request, hash: hash, interval: 5, expiresAt: now + 60_000, limit: 1))
        _ = try await database.accounts.setPassword(tenant.account.id, hash: "y", scope: .everything, by: .command)
        #expect(
            try await database.deviceCodes.approve(
                code, subject: tenant.subject, mailbox: tenant.account.email, scope: "imap",
                authenticatedAt: now - 1000))
        let opening = fixture.opening()
        #expect(try await database.deviceCodes.poll(hash, clientID: "mutt", opening: opening) == .denied)
        #expect(try await database.sessions.isLive(opening.family, of: .subject(tenant.subject)) == false)
    }

    @Test func aNetworkHasOneWaitingRoom() async throws {
        let network = Fixture.unique(), now = Timestamp.now()
        func keep(_ ip: String) async throws -> Bool {
            let code = String((0..<8).map { _ in "BCDFGHJKLMNPQRSTVWXZ".randomElement() ?? "B" })
            return try await database.deviceCodes.keep(
                DeviceRequest(
                    userCode: code, clientID: "mutt", scope: "imap", ip: ip, network: network, createdAt: now),
                hash: Fixture.hash(), interval: 5, expiresAt: now + 60_000, limit: 2)
        }
        for ip in ["2001:db8::1", "2001:db8::2"] { #expect(try await keep(ip)) }
        #expect(try await keep("2001:db8::3") == false)
    }

    // MARK: Refresh tokens

    private func open(_ tenant: Fixture.Tenant, scope: String? = nil) async throws -> (family: String, hash: String) {
        let hash = Fixture.hash()
        let opening = fixture.opening(refreshHash: hash, origin: SessionOrigin(scope: scope))
        try await database.sessions.open(opening, subject: tenant.subject)
        return (opening.family, hash)
    }

    private func rotate(
        _ hash: String, to successor: String, wanted: Set<String>? = nil, window: Duration = .zero
    ) async throws -> SessionStore.Rotation {
        try await database.sessions.rotate(
            .init(hash: hash, clientID: nil, wanted: wanted, retryWindow: window), to: successor,
            expiresAt: Timestamp.now() + 60_000)
    }

    private static func isRotated(_ rotation: SessionStore.Rotation) -> Bool {
        if case .rotated = rotation { true } else { false }
    }

    @Test func whatIsRefusedForItsScopeOrOnlyLookedAtIsNotUsedUp() async throws {
        let session = try await open(fixture.tenant(), scope: "imap")
        #expect(try await rotate(session.hash, to: Fixture.hash(), wanted: ["smtp"]) == .outOfScope)
        let standing = try await database.sessions.standing(of: .init(hash: session.hash, clientID: nil))
        #expect(Self.isRotated(standing))
        #expect(Self.isRotated(try await rotate(session.hash, to: Fixture.hash(), wanted: ["imap", "smtp"])))
    }

    @Test func aTokenWhoseAnswerWasLostIsTakenOnceMore() async throws {
        let session = try await open(fixture.tenant())
        let lost = Fixture.hash(), second = Fixture.hash()
        let window = Duration.seconds(30)
        #expect(Self.isRotated(try await rotate(session.hash, to: lost, window: window)))
        #expect(Self.isRotated(try await rotate(session.hash, to: second, window: window)))
        #expect(try await rotate(session.hash, to: Fixture.hash(), window: window) == .reused(family: session.family))
        #expect(try await rotate(lost, to: Fixture.hash(), window: window) == .reused(family: session.family))
        #expect(Self.isRotated(try await rotate(second, to: Fixture.hash(), window: window)))
    }

    @Test func aTokenWhoseSuccessorIsInUseIsNotTakenAgain() async throws {
        let session = try await open(fixture.tenant())
        let next = Fixture.hash()
        #expect(Self.isRotated(try await rotate(session.hash, to: next)))
        #expect(try await rotate(session.hash, to: Fixture.hash()) == .reused(family: session.family), "no window")
        #expect(Self.isRotated(try await rotate(next, to: Fixture.hash())))
        #expect(
            try await rotate(session.hash, to: Fixture.hash(), window: .seconds(30))
                == .reused(family: session.family))
    }

    // MARK: Names that are not ours

    @Test func whatIsNotASCIIIsNobodys() async throws {
        #expect(try await database.oauthClients.find("ü") == nil)
        #expect(try await database.sessions.isLive("ü", of: .subject("user:1")) == false)
        for filter in [AuditStore.Filter(actor: "ü"), .init(action: "ü"), .init(action: "ü.")] {
            #expect(try await database.audit.list(filter, .first, scope: .everything).total == 0)
        }
    }

    @Test func aClientThatNobodyEverUsedIsForgottenSoon() async throws {
        let idle = Fixture.identifier(), used = Fixture.identifier()
        for id in [idle, used] {
            _ = try await database.oauthClients.register(
                OAuthClient(clientID: id, name: "x", redirectURIs: ["http://127.0.0.1/"], isPreset: false),
                from: "192.0.2.1", limit: 100_000)
        }
        try await database.oauthClients.recordUse(used)
        let now = Timestamp.now(), day: Int64 = 86_400_000
        let ids = [idle, used]
        try await database.execute(
            "UPDATE oauth_clients SET created_at = \(now - 2 * day) WHERE client_id IN (\(list: ids))")
        try await database.oauthClients.purge(unusedSince: now - 90 * day, neverUsedSince: now - day)
        #expect(try await database.oauthClients.find(idle) == nil)
        #expect(try await database.oauthClients.find(used) != nil)
    }

    @Test func aDeletedBootstrapTokenStaysAway() async throws {
        let hash = Fixture.hash()
        #expect(try await database.serviceTokens.keepBootstrap(hash: hash))
        #expect(try await database.serviceTokens.keepBootstrap(hash: hash), "at each start")
        let caller = try #require(try await database.serviceTokens.authenticate(hash: hash))
        _ = try await database.serviceTokens.delete(caller.tokenID, by: .command)
        #expect(try await database.serviceTokens.keepBootstrap(hash: hash) == false)
        #expect(try await database.serviceTokens.authenticate(hash: hash) == nil)
    }

    /// A database counts scalars, of which one character may have any number.
    @Test func longCharactersAreCutToFit() async throws {
        let tenant = try await fixture.tenant()
        let tower = "a" + String(repeating: "\u{301}", count: 1000)
        let opening = fixture.opening(origin: SessionOrigin(userAgent: tower))
        try await database.sessions.open(opening, subject: tenant.subject)
        try await database.audit.record(.init(actor: AuditStore.anonymous, action: "login.failed", target: tower))
    }

    @Test func aLoginIsNoPattern() async throws {
        let tenant = try await fixture.tenant()
        for local in ["in*", "inf?", "a/b"] {
            await #expect(throws: Failure.self) { try await fixture.account(local, of: tenant.domain) }
        }
    }
}
