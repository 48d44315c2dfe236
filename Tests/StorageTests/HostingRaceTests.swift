import Foundation
import MailModel
import MariaDB
import Testing

@testable import Storage

/// What two replicas do to one mailbox or domain at the same moment.
@Suite struct HostingRaceTests {
    let fixture: Fixture
    var database: Database { fixture.database }

    init() async throws { fixture = try await Fixture() }

    /// Runs `body` while another replica's change is written and not yet committed: `body` finds what was before, and
    /// waits for the row.
    private func during<Value: Sendable>(
        _ change: @escaping @Sendable (Transaction) throws -> Void, _ body: () async throws -> Value
    ) async throws -> Value {
        let (written, tell) = AsyncStream.makeStream(of: Void.self)
        async let other: Void = {
            // Also when it comes to nothing.
            defer { tell.finish() }
            try await database.transaction { tx in
                try change(tx)
                tell.finish()
                Thread.sleep(forTimeInterval: 0.4)
            }
        }()
        for await _ in written {}
        let value = try await body()
        try await other
        return value
    }

    @Test func whatEndsSessionsKnowsANewName() async throws {
        let store = database.accounts
        let changes: [@Sendable (Int64) async throws -> Revocation?] = [
            { try await store.setPassword($0, hash: "{PLAIN}y", scope: .everything, by: .command) },
            { try await store.setSuspended($0, true, scope: .everything, by: .command) },
            { try await store.update($0, .init(localPart: "third"), scope: .everything, by: .command) },
            { try await store.delete($0, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command) },
        ]
        for change in changes {
            let tenant = try await fixture.tenant(), id = tenant.account.id
            let name = "other@\(tenant.domain.domain)"
            let revocation = try await during(
                { try $0.execute("UPDATE accounts SET email = \(name) WHERE id = \(id)") },
                { try await change(id) })
            #expect(revocation?.value == name)
        }
    }

    @Test func whatIsDeletedMeanwhileIsNotChanged() async throws {
        let store = database.accounts
        let changes: [@Sendable (Int64) async throws -> Void] = [
            { _ = try await store.setPassword($0, hash: "{PLAIN}y", scope: .everything, by: .command) },
            { _ = try await store.setSuspended($0, true, scope: .everything, by: .command) },
            { _ = try await store.update($0, .init(localPart: "third"), scope: .everything, by: .command) },
        ]
        let later = Timestamp.now() + 60_000
        for change in changes {
            let id = try await fixture.tenant().account.id
            await #expect(throws: Failure.notFound("This mailbox")) {
                try await during(
                    { try $0.execute("UPDATE accounts SET deleted_at = 1, purge_at = \(later) WHERE id = \(id)") },
                    { try await change(id) })
            }
        }
    }

    @Test func whatIsRestoredMeanwhileDoesNotGo() async throws {
        let tenant = try await fixture.tenant(), id = tenant.account.id, domain = tenant.domain.id
        let later = Timestamp.now() + 60_000
        _ = try await database.accounts.delete(id, purgeAt: later, scope: .everything, by: .command)
        await #expect(throws: Failure.notFound("This deleted mailbox")) {
            _ = try await during(
                { try $0.execute("UPDATE accounts SET deleted_at = NULL, purge_at = NULL WHERE id = \(id)") },
                { try await database.accounts.purge(id, scope: .everything, by: .command) })
        }
        _ = try await database.domains.delete(domain, purgeAt: later, scope: .everything, by: .command)
        await #expect(throws: Failure.notFound("This deleted domain")) {
            _ = try await during(
                { try $0.execute("UPDATE domains SET deleted_at = NULL, purge_at = NULL WHERE id = \(domain)") },
                { try await database.domains.purge(domain, scope: .everything, by: .command) })
        }
        #expect(try await database.accounts.find(id, scope: .everything).email == tenant.account.email)
    }

    @Test func nothingIsMadeInADomainThatGoesMeanwhile() async throws {
        let customer = try await fixture.tenant().customer.id
        let makers: [@Sendable (Domain) async throws -> Void] = [
            { _ = try await fixture.account("info", of: $0) },
            {
                _ = try await database.aliases.create(
                    domainID: $0.id, .init(source: "info", destinations: [EmailAddress("x@elsewhere.test")]),
                    scope: .everything, by: .command)
            },
        ]
        for make in makers {
            let domain = try await database.domains.create(
                .init(name: DomainName(Fixture.unique() + ".test"), customerID: customer, keys: []), by: .command)
            await #expect(throws: Failure.notFound("This domain")) {
                try await during(
                    { try $0.execute("DELETE FROM domains WHERE id = \(domain.id)") }, { try await make(domain) })
            }
        }
    }

    @Test func theRightToEndAMailboxIsOnes() async throws {
        let account = try await fixture.tenant().account
        _ = try await database.accounts.delete(
            account.id, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command)
        let purge = try #require(try await database.accounts.purge(account.id, scope: .everything, by: .command))
        let renewed = try #require(try await database.accounts.renew(purge))
        #expect(try await database.accounts.renew(purge) == nil, "it is another by now")
        try await database.accounts.remove(purge)
        #expect(try await database.accounts.exists(email: account.email))
        try await database.accounts.remove(renewed)
        #expect(try await database.accounts.exists(email: account.email) == false)
    }

    /// Its mail is where the next one's would be, which would be given it.
    @Test func anAddressIsFreeWhenTheMailHasLeftIt() async throws {
        let tenant = try await fixture.tenant(), id = tenant.account.id
        let domain = tenant.domain.id, name = tenant.domain.domain
        // In one transaction: the stack's own caretaker would end the move.
        let failure = await #expect(throws: Failure.self) {
            try await database.transaction { tx in
                try tx.execute(
                    "UPDATE accounts SET is_moving = TRUE, home = \("\(name)/before") WHERE id = \(id)")
                try AccountStore.checkFree("before@\(name)", domainID: domain, for: id, in: tx)
                try AccountStore.checkFree("after@\(name)", domainID: domain, in: tx)
                try AccountStore.checkFree("before@\(name)", domainID: domain, in: tx)
            }
        }
        #expect(failure?.code == "account_moving")
    }

    @Test func aDomainThatIsGivenAnAliasMeanwhileStays() async throws {
        let tenant = try await fixture.tenant(), id = tenant.domain.id, customer = tenant.customer.id
        let alias = Fixture.unique() + ".test"
        let failure = await #expect(throws: Failure.self) {
            _ = try await during(
                { tx in
                    // As `DomainStore.create` does.
                    _ = try tx.query("SELECT id FROM domains WHERE id = \(id) LOCK IN SHARE MODE")
                    try tx.execute(
                        """
                        INSERT INTO domains (customer_id, alias_of, domain, dkim_selector, dkim_public_key, created_at)
                        VALUES (\(customer), \(id), \(alias), '', '', \(Timestamp.now()))
                        """)
                },
                {
                    try await database.domains.delete(
                        id, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command)
                })
        }
        #expect(failure?.code == "domain_has_aliases")
        #expect(try await database.domains.find(id, scope: .everything).domain == tenant.domain.domain)
    }
}
