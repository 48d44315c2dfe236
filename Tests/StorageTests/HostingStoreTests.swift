import MailModel
import MariaDB
import Testing

@testable import Storage

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

    @Test func theEndOfAMailboxKnowsWhereItIsMovedTo() async throws {
        let id = try await fixture.tenant().account.id
        _ = try await database.accounts.update(id, .init(localPart: "one"), scope: .everything, by: .command)
        _ = try await database.accounts.delete(
            id, purgeAt: Timestamp.now() + 60_000, scope: .everything, by: .command)
        let purge = try #require(try await database.accounts.purge(id, scope: .everything, by: .command))
        // The stack's own caretaker may have moved it already.
        #expect(purge.target.hasSuffix("/one") && (purge.home.hasSuffix("/info") || purge.home == purge.target))
        try await database.accounts.remove(purge)
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
        try await database.domains.release(purge)
        #expect(try await database.domains.claimPurge(domain.id) == nil, "only its holder gives it back")
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

    @Test func whoDoesNotReachTheServerTakesNothingBack() async throws {
        let domain = try await fixture.tenant().domain
        let loaded = try await database.domains.provisioning(domain.id)
        #expect(try await database.domains.setDNS(loaded, status: .ok) == .kept)
        #expect(try await database.domains.setDNS(loaded, status: .pending, detail: "away") == .kept)
        let dns = try await database.domains.find(domain.id, scope: .everything).dns
        #expect(dns.status == .ok && dns.detail == nil)
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

    @Test func aMailboxRenamedTwiceEndsWhereItsNameSays() async throws {
        let tenant = try await fixture.tenant(), id = tenant.account.id, domain = tenant.domain.domain
        let first = AccountStore.Move(id: id, from: "\(domain)/info", to: "\(domain)/one")
        _ = try await database.accounts.update(id, .init(localPart: "one"), scope: .everything, by: .command)
        _ = try await database.accounts.update(id, .init(localPart: "two"), scope: .everything, by: .command)
        // The stack's own caretaker may have been here already: then nothing waits any more.
        try await database.accounts.endMove(first)
        let rest = try await database.accounts.awaitingMove().filter { $0.id == id }
        #expect(rest.allSatisfy { $0.to == "\(domain)/two" && $0.from != "\(domain)/info" }, "\(rest)")
        for move in rest { try await database.accounts.endMove(move) }
        #expect(try await database.accounts.awaitingMove().allSatisfy { $0.id != id })
        #expect(try await database.accounts.awaits(first) == false, "who comes too late moves nothing")
    }

    @Test func totalsFollowWhatThereIs() async throws {
        let tenant = try await fixture.tenant(), id = tenant.account.id
        try await withThrowingTaskGroup(of: Void.self) { group in
            for quota in [200, 300, 400, 500] {
                group.addTask { [database] in
                    _ = try await database.accounts.update(
                        id, .init(quotaMB: quota), scope: .everything, by: .command)
                }
            }
            try await group.waitForAll()
        }
        let account = try await database.accounts.find(id, scope: .everything)
        #expect(try await database.domains.find(tenant.domain.id, scope: .everything).quotaMB == account.quotaMB)
    }

    @Test func anAddressIsAMailboxOrAnAlias() async throws {
        let tenant = try await fixture.tenant(), name = try DomainName(tenant.domain.domain)
        for number in 0..<10 {
            let source = "n\(number)"
            async let mailbox: Void = {
                _ = try await fixture.account(source, of: tenant.domain)
            }()
            async let alias: Void = {
                _ = try await database.aliases.create(
                    domainID: tenant.domain.id,
                    .init(source: source, destinations: [EmailAddress("x@elsewhere.test")]), scope: .everything,
                    by: .command)
            }()
            _ = try? await mailbox
            _ = try? await alias
            let isMailbox = try await database.accounts.exists(email: "\(source)@\(name)")
            let isAlias = try await database.aliases.exists(source, domainID: tenant.domain.id)
            #expect(isMailbox != isAlias, "\(source)")
        }
    }

    @Test func aTokenOfOneDomainGivesNoAddressOfAnother() async throws {
        let tenant = try await fixture.tenant()
        let other = try await database.domains.create(
            .init(name: DomainName(Fixture.unique() + ".test"), customerID: tenant.customer.id, keys: []), by: .command)
        let scope = Scope.limited(.init(domains: [tenant.domain.domain], addresses: []))
        await #expect(throws: Failure.self) {
            try await database.accounts.setSendAs(
                tenant.account.id, [EmailAddress("boss@\(other.domain)")], scope: scope, by: .command)
        }
        try await database.accounts.setSendAs(
            tenant.account.id, [EmailAddress("boss@\(tenant.domain.domain)")], scope: scope, by: .command)
        #expect(try await database.accounts.sendAs(tenant.account.id, scope: scope).count == 1)
    }

    @Test(arguments: [1, 2, 3, 10]) func slicesRevokeEachOnce(slice: Int) async throws {
        let tenant = try await fixture.tenant(), id = tenant.domain.id
        var emails = [tenant.account.email]
        for name in ["a", "b", "c", "d"] { emails.append(try await fixture.account(name, of: tenant.domain).email) }
        let told = try await database.transaction { tx in
            try RevocationStore.addAll(accounts: "a.domain_id = \(id)", slice: slice, in: tx)
        }
        #expect(told.map(\.value).sorted() == emails.sorted())
        #expect(zip(told, told.dropFirst()).allSatisfy { $0.id < $1.id })
        let kept = try await database.revocations.after((told.first?.id ?? 0) - 1)
        #expect(kept.count { $0.kind == .account && emails.contains($0.value) } == emails.count)
        // However many a statement reads, each is read once.
        let read = try await database.revocations.after((told.first?.id ?? 0) - 1, slice: slice)
        #expect(read.filter { emails.contains($0.value) } == kept.filter { emails.contains($0.value) })
        #expect(zip(read, read.dropFirst()).allSatisfy { $0.id < $1.id })
    }
}
