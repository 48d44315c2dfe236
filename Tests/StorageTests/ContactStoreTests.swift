import MailModel
import Storage
import TestSupport
import Testing

/// Signatures and contacts on the real database; each test makes its own mailboxes.
@Suite struct ContactStoreTests {
    let database: Database
    let ann: Account
    let bob: Account
    let customer: Int64

    init() async throws {
        let endpoints = try TestStack.load().database
        database = Database(
            Database.Configuration(
                socket: endpoints.socket, host: "127.0.0.1", port: 3306, user: endpoints.user,
                password: endpoints.password, database: endpoints.name, connections: 2))
        try await database.migrate()
        customer = try await database.customers.create(name: "Tenant", by: .command).id
        let name = "t" + String(UInt64.random(in: 0 ... .max), radix: 36)
        let domain = try await database.domains.create(
            .init(name: DomainName(name + ".test"), customerID: customer, keys: []), by: .command)
        var accounts: [Account] = []
        for part in ["ann", "bob"] {
            accounts.append(
                try await database.accounts.create(
                    domainID: domain.id,
                    .init(localPart: part, passwordHash: "{PLAIN}x", quotaMB: 100, displayName: ""),
                    scope: .everything, by: .command))
        }
        (ann, bob) = (accounts[0], accounts[1])
    }

    private var contacts: ContactStore { database.contacts }
    private var signatures: SignatureStore { database.signatures }

    private func contact(_ name: String, _ emails: String...) throws -> Contact.Draft {
        Contact.Draft(name: name, emails: try emails.map { try EmailAddress($0) })
    }

    private func people(_ account: Account, after version: Int64? = nil) async throws -> [KnownPerson] {
        try await contacts.people(after: version, startingAfter: "", limit: 1000, mailbox: account.email)
    }

    private func wrote(_ address: String, at: Int64, name: String = "") throws -> ContactStore.Correspondent {
        .init(address: try EmailAddress(address), name: name, affinity: Affinity(weight: 1, at: at), wroteAt: at)
    }

    // MARK: Signatures

    private func signature(_ name: String, isDefault: Bool = false, rules: [Signature.Rule] = []) -> Signature.Draft {
        .init(name: name, html: "<b>\(name)</b>", plain: name, isDefault: isDefault, rules: rules)
    }

    @Test func oneDefaultOfAMailbox() async throws {
        let first = try await signatures.create(signature("1", isDefault: true), mailbox: ann.email)
        let others = try await signatures.create(signature("b", isDefault: true), mailbox: bob.email)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 2...6 {
                group.addTask {
                    _ = try await signatures.create(signature("\(number)", isDefault: true), mailbox: ann.email)
                }
            }
            try await group.waitForAll()
        }
        let all = try await signatures.list(.first, scope: .accounts([ann.email]))
        #expect(all.total == 6 && all.items.filter(\.isDefault).count == 1)
        #expect(try await signatures.find(others.id, mailbox: bob.email).isDefault)
        let again = try await signatures.replace(first.id, signature("1", isDefault: true), scope: .customer(customer))
        #expect(again.isDefault && again.account == ann.email)
        let now = try await signatures.list(.first, scope: .accounts([ann.email]))
        #expect(now.items.filter(\.isDefault).map(\.id) == [first.id])
    }

    @Test func rulesComeBackAndMatch() async throws {
        let rules: [Signature.Rule] = [.init(.any), .init(.domain, "example.com"), .init(.address, "x@example.org")]
        let made = try await signatures.create(signature("r", rules: rules), mailbox: ann.email)
        #expect(made.rules == rules)
        #expect(try await signatures.best(for: EmailAddress("z@q.test"), mailbox: ann.email) == made)
        #expect(try await signatures.best(for: EmailAddress("z@q.test"), mailbox: bob.email) == nil)
    }

    @Test func aForeignSignatureDoesNotExist() async throws {
        let made = try await signatures.create(signature("mine"), mailbox: ann.email)
        for scope in [Scope.accounts([bob.email]), .customer(-1), .accounts([])] {
            await #expect(throws: Failure.notFound("This signature")) {
                try await signatures.find(made.id, scope: scope)
            }
            await #expect(throws: Failure.notFound("This signature")) {
                try await signatures.replace(made.id, signature("stolen"), scope: scope)
            }
            await #expect(throws: Failure.notFound("This signature")) {
                try await signatures.delete(made.id, scope: scope)
            }
        }
        await #expect(throws: Failure.notFound("This mailbox")) {
            try await signatures.create(signature("x"), mailbox: "nobody@nowhere.test")
        }
        await #expect(throws: Failure.notFound("This mailbox")) {
            try await signatures.list(.first, scope: .accounts(["nobody@nowhere.test"]))
        }
        #expect(try await signatures.find(made.id, mailbox: ann.email) == made)
    }

    @Test func aMailboxHasSoManySignatures() async throws {
        for number in 0..<SignatureStore.limit {
            _ = try await signatures.create(signature("\(number)"), mailbox: ann.email)
        }
        await #expect(throws: Failure.self) { try await signatures.create(signature("more"), mailbox: ann.email) }
    }

    // MARK: Contacts

    @Test func anAddressStandsInOneEntry() async throws {
        let made = try await contacts.create(try contact("Ann", "a@x.test", "b@x.test"), mailbox: ann.email)
        #expect(made.emails == ["a@x.test", "b@x.test"])
        await #expect(
            throws: Failure.conflict("contact_exists", "There is a contact with the address b@x.test already.")
        ) { try await contacts.create(try contact("Other", "c@x.test", "b@x.test"), mailbox: ann.email) }
        #expect(try await contacts.list(matching: nil, .first, mailbox: ann.email).total == 1)
        _ = try await contacts.create(try contact("Other", "b@x.test"), mailbox: bob.email)
        let replaced = try await contacts.replace(
            made.id, try contact("Ann", "c@x.test", "a@x.test"), mailbox: ann.email)
        #expect(replaced.emails == ["c@x.test", "a@x.test"])
        _ = try await contacts.create(try contact("Other", "b@x.test"), mailbox: ann.email)
        try await contacts.delete(made.id, mailbox: ann.email)
        _ = try await contacts.create(try contact("Again", "a@x.test"), mailbox: ann.email)
        #expect(try await people(ann).map(\.address) == ["a@x.test", "b@x.test"])
    }

    @Test func aForeignContactDoesNotExist() async throws {
        let made = try await contacts.create(try contact("Ann", "a@x.test"), mailbox: ann.email)
        await #expect(throws: Failure.notFound("This contact")) { try await contacts.find(made.id, mailbox: bob.email) }
        await #expect(throws: Failure.notFound("This contact")) {
            try await contacts.replace(made.id, try contact("x", "x@x.test"), mailbox: bob.email)
        }
        await #expect(throws: Failure.notFound("This contact")) {
            try await contacts.delete(made.id, mailbox: bob.email)
        }
        await #expect(throws: Failure.notFound("This mailbox")) {
            try await contacts.list(matching: nil, .first, mailbox: "nobody@nowhere.test")
        }
        #expect(try await contacts.find(made.id, mailbox: ann.email) == made)
    }

    @Test func isFoundByParts() async throws {
        for (name, address) in [("Jörg Müller", "jm@x.test"), ("100% Ann_Lee", "al@y.test"), ("Zoe", "z@x.test")] {
            _ = try await contacts.create(try contact(name, address), mailbox: ann.email)
        }
        for (query, count) in [
            ("mull", 1), ("MÜL", 1), ("x.test", 2), ("0%", 1), ("%", 1), ("n_l", 1), ("_", 1), ("\\", 0),
        ] {
            let found = try await contacts.list(matching: query, .first, mailbox: ann.email)
            #expect(found.total == count && found.items.count == count, "\(query)")
        }
        let all = try await contacts.list(matching: nil, try PageRequest(page: 2, perPage: 2), mailbox: ann.email)
        #expect(all.items.map(\.name) == ["Zoe"] && all.total == 3)
        #expect(
            try await contacts.list(after: 0, limit: 2, mailbox: ann.email).map(\.name) == [
                "Jörg Müller", "100% Ann_Lee",
            ])
    }

    @Test func importsWhatIsNew() async throws {
        let made = try await contacts.create(try contact("Ann", "a@x.test"), mailbox: ann.email)
        let outcome = try await contacts.add(
            [
                try contact("Ann again", "a2@x.test", "a@x.test"), try contact("Bob", "b@x.test", "b2@x.test"),
                try contact("Cid", "c@x.test"),
            ], mailbox: ann.email)
        #expect(outcome.created == 2 && outcome.extended == 1 && outcome.unchanged == 0)
        #expect(try await contacts.find(made.id, mailbox: ann.email).emails == ["a@x.test", "a2@x.test"])
        let again = try await contacts.add(
            [try contact("B", "b2@x.test"), try contact("A", "a2@x.test")], mailbox: ann.email)
        #expect(again.created == 0 && again.extended == 0 && again.unchanged == 2)
        #expect(
            try await contacts.list(matching: nil, .first, mailbox: ann.email).items.map(\.name) == [
                "Ann", "Bob", "Cid",
            ])
        #expect(try await contacts.list(matching: nil, .first, mailbox: bob.email).total == 0)
    }

    // MARK: People

    @Test func aMailCountsOnce() async throws {
        let now = Timestamp.now()
        try await contacts.record([try wrote("x@x.test", at: now)], mailbox: ann.email)
        try await contacts.record([try wrote("x@x.test", at: now - 500)], mailbox: ann.email)
        #expect(abs(try #require(try await people(ann)[0].affinity).score(at: now) - 1) < 1e-3)
        try await contacts.record(
            [try wrote("x@x.test", at: now - 500), try wrote("x@x.test", at: now + 1)], mailbox: ann.email)
        #expect(abs(try #require(try await people(ann)[0].affinity).score(at: now) - 2) < 1e-3)
        #expect(try await people(bob).isEmpty)
    }

    @Test func sumsAreAsTheModelHasThem() async throws {
        let now = Timestamp.now(), day: Int64 = 86_400_000
        var expected: Affinity?
        for days in [400, 90, 30, 29, 1, 0] as [Int64] {
            let at = now - days * day
            try await contacts.record([try wrote("x@x.test", at: at)], mailbox: ann.email)
            expected = expected.map { $0 + Affinity(weight: 1, at: at) } ?? Affinity(weight: 1, at: at)
        }
        let kept = try #require(try await people(ann)[0].affinity)
        #expect(abs(kept.exponent - (expected?.exponent ?? 0)) < 1e-9)
    }

    @Test func changesAreToldByVersion() async throws {
        let before = try await contacts.state(of: ann.email)
        let made = try await contacts.create(try contact("Ann", "a@x.test"), mailbox: ann.email)
        try await contacts.record([try wrote("b@x.test", at: 1, name: "Bob")], mailbox: ann.email)
        let middle = try await contacts.state(of: ann.email)
        #expect(middle.version > before.version && middle.account == ann.id)
        #expect(try await people(ann, after: before.version).map(\.name) == ["Ann", "Bob"])
        #expect(try await people(ann, after: middle.version).isEmpty)
        try await contacts.delete(made.id, mailbox: ann.email)
        #expect(try await people(ann, after: middle.version).map(\.isForgotten) == [true])
        #expect(try await people(ann).map(\.address) == ["b@x.test"])
        await #expect(throws: Failure.notFound("This mailbox")) { try await contacts.state(of: "nobody@nowhere.test") }
    }

    @Test func aFolderIsReadOnce() async throws {
        let people = [try wrote("x@x.test", at: 1000)]
        let first = ContactStore.Progress(uidValidity: 7, uid: 3)
        for _ in 0..<2 { try await contacts.record(people, from: .sent, after: nil, upTo: first, mailbox: ann.email) }
        #expect(try await contacts.progress(of: .sent, mailbox: ann.email) == first)
        #expect(try await contacts.progress(of: .inbox, mailbox: ann.email) == nil)
        #expect(abs(try #require(try await self.people(ann)[0].affinity).score(at: 1000) - 1) < 1e-6)
        let second = ContactStore.Progress(uidValidity: 7, uid: 4)
        try await contacts.record(
            [try wrote("x@x.test", at: 900), try wrote("y@x.test", at: 2000)], from: .sent, after: first, upTo: second,
            mailbox: ann.email)
        #expect(try await self.people(ann).map(\.address) == ["x@x.test", "y@x.test"])
        #expect(abs(try #require(try await self.people(ann)[0].affinity).score(at: 1000) - 1) < 1e-6)
    }

    @Test func ownAddressesAreKnown() async throws {
        _ = try await database.aliases.create(
            domainID: ann.domainID, .init(source: "sales", destinations: [try EmailAddress(ann.email)]),
            scope: .everything, by: .command)
        let domain = ann.email.split(separator: "@")[1]
        #expect(try await contacts.ownAddresses(of: ann.email) == [ann.email, "sales@\(domain)"])
    }
}
