import MailModel
import Storage
import Testing

/// Domains and mailboxes that end, and what is written of them meanwhile.
@Suite struct HostingStoreTests {
    let fixture: Fixture
    var database: Database { fixture.database }

    init() async throws { fixture = try await Fixture() }

    @Test func aMailboxIsEndedByOne() async throws {
        let account = try await fixture.tenant().account
        let later = Timestamp.now() + 60_000
        _ = try await database.accounts.delete(account.id, purgeAt: later, scope: .everything, by: .command)
        #expect(try await database.accounts.claimPurge(account.id) == nil, "its time is not over")
        let purge = try #require(try await database.accounts.purge(account.id, scope: .everything, by: .command))
        #expect(purge.email == account.email && purge.home.hasSuffix("/info"))
        #expect(try await database.accounts.claimPurge(account.id) == nil)
        #expect(try await database.accounts.purge(account.id, scope: .everything, by: .command) == nil)
        try await database.accounts.remove(purge)
        #expect(try await database.accounts.exists(email: account.email) == false)
        #expect(try await database.accounts.claimPurge(account.id) == nil)
    }

    @Test func aDomainIsEndedByWhoeverHasTheRight() async throws {
        let domain = try await fixture.tenant().domain
        _ = try await database.domains.delete(
            domain.id, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command)
        let purge = try #require(try await database.domains.purge(domain.id, scope: .everything, by: .command))
        #expect(try await database.domains.claimPurge(domain.id) == nil)
        let renewed = try #require(try await database.domains.renew(purge))
        #expect(try await database.domains.renew(purge) == nil, "it is another by now")
        #expect(try await database.domains.remove(purge) == false)
        #expect(try await database.domains.remove(renewed))
        #expect(try await database.domains.claimPurge(domain.id) == nil)
    }

    @Test func recordsThatComeTooLateAreToGo() async throws {
        let tenant = try await fixture.tenant(), domain = tenant.domain
        let loaded = try await database.domains.provisioning(domain.id)
        _ = try await database.domains.delete(
            domain.id, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command)
        #expect(try await database.domains.setDNS(loaded, status: .ok) == .kept, "it may come back")
        let purge = try #require(try await database.domains.purge(domain.id, scope: .everything, by: .command))
        #expect(try await database.domains.setDNS(loaded, status: .ok) == .gone)
        #expect(try await database.domains.remove(purge))
        #expect(try await database.domains.setDNS(loaded, status: .ok) == .gone)
        let next = try await database.domains.create(
            .init(name: DomainName(domain.domain), customerID: tenant.customer.id, keys: []), by: .command)
        #expect(try await database.domains.setDNS(loaded, status: .ok) == .succeeded(by: next.id))
    }

    @Test func newKeysAreNoReasonToWriteTheRest() async throws {
        let domain = try await fixture.tenant().domain
        func publish(_ selector: String) async throws {
            let key = DKIMKey(selector: selector, algorithm: .rsa, publicKey: "MIIB")
            try await database.dkimKeys.publish([key], domainID: domain.id, scope: .everything, by: .command)
        }
        _ = try await database.domains.setDNS(database.domains.provisioning(domain.id), status: .ok)
        try await publish("first")
        #expect(try await database.domains.provisioning(domain.id).isOfKeysOnly)
        try await database.domains.requireDNS(domain.id)
        #expect(try await database.domains.provisioning(domain.id).isOfKeysOnly == false)
    }

    @Test func aNewDomainIsToldAsItIsFound() async throws {
        let tenant = try await fixture.tenant()
        let made = try await database.domains.create(
            .init(
                name: DomainName(Fixture.unique() + ".test"), customerID: tenant.customer.id,
                aliasOf: tenant.domain.id, hasManualDNS: true, keys: []), by: .command)
        #expect(try await database.domains.find(made.id, scope: .everything) == made)
        await #expect(throws: Failure.self) {
            try await database.domains.create(
                .init(name: DomainName(Fixture.unique() + ".test"), customerID: -1, keys: []), by: .command)
        }
    }

    @Test func aPageOfADomainIsTheCallersToSee() async throws {
        let tenant = try await fixture.tenant(), other = try await fixture.tenant()
        _ = try await fixture.account("second", of: tenant.domain)
        var filter = AccountStore.Filter()
        filter.domainID = tenant.domain.id
        let page = try await database.accounts.list(
            filter, PageRequest(page: 1, perPage: 1), scope: .customer(tenant.customer.id))
        #expect(page.items.map(\.id) == [tenant.account.id] && page.total == 2)
        let beyond = try await database.accounts.list(
            filter, PageRequest(page: 9, perPage: 1), scope: .customer(tenant.customer.id))
        #expect(beyond.items.isEmpty && beyond.total == 2)
        await #expect(throws: Failure.notFound("This domain")) {
            try await database.accounts.list(filter, .first, scope: .customer(other.customer.id))
        }
    }
}
