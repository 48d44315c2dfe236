import MailModel
import Storage
import TestSupport
import Testing

@testable import WebmailProxy

/// Indexes over the real database, as replicas have them.
@Suite struct AutocompleteTests {
    let database: Database
    let mailboxes: [String]

    init() async throws {
        let endpoints = try TestStack.load().database
        database = Database(
            Database.Configuration(
                socket: endpoints.socket, host: "127.0.0.1", port: 3306, user: endpoints.user,
                password: endpoints.password, database: endpoints.name, connections: 2))
        try await database.migrate()
        let customer = try await database.customers.create(name: "Tenant", by: .command).id
        let name = "t" + String(UInt64.random(in: 0 ... .max), radix: 36) + ".test"
        let domain = try await database.domains.create(
            .init(name: DomainName(name), customerID: customer, keys: []), by: .command)
        for part in ["a", "b", "c"] {
            _ = try await database.accounts.create(
                domainID: domain.id,
                .init(localPart: part, passwordHash: "{PLAIN}x", quotaMB: 100, displayName: ""),
                scope: .everything, by: .command)
        }
        mailboxes = ["a@\(name)", "b@\(name)", "c@\(name)"]
    }

    private func autocomplete(maximumSize: Int = 64 << 20) -> Autocomplete {
        Autocomplete(contacts: database.contacts, maximumSize: maximumSize)
    }

    private func draft(_ name: String, _ address: String) throws -> Contact.Draft {
        Contact.Draft(name: name, emails: [try EmailAddress(address)])
    }

    @Test func everyReplicaSeesEveryWrite() async throws {
        let replicas = [autocomplete(), autocomplete()]
        func found(_ query: String) async throws -> [[String]] {
            var found: [[String]] = []
            for replica in replicas {
                found.append(try await replica.search(query, limit: 10, mailbox: mailboxes[0]).map(\.name))
            }
            return found
        }
        #expect(try await found("") == [[], []])
        let made = try await database.contacts.create(try draft("Ann", "ann@x.test"), mailbox: mailboxes[0])
        #expect(try await found("an") == [["Ann"], ["Ann"]])
        _ = try await database.contacts.replace(made.id, try draft("Zoe", "ann@x.test"), mailbox: mailboxes[0])
        #expect(try await found("zo") == [["Zoe"], ["Zoe"]])
        try await database.contacts.delete(made.id, mailbox: mailboxes[0])
        #expect(try await found("") == [[], []])
    }

    @Test func manyAreReadInPieces() async throws {
        for start in stride(from: 0, to: 6000, by: 500) {
            let drafts = try (start..<start + 500).map { try draft("Person \($0)", "p\($0)@x.test") }
            _ = try await database.contacts.add(drafts, mailbox: mailboxes[0])
        }
        let autocomplete = autocomplete()
        try await withThrowingTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask { [mailboxes] in
                    try await autocomplete.search("p5999", limit: 5, mailbox: mailboxes[0]).map(\.email)
                }
            }
            for try await found in group { #expect(found == ["p5999@x.test"]) }
        }
    }

    @Test func memoryIsBounded() async throws {
        for mailbox in mailboxes {
            _ = try await database.contacts.create(try draft("Ann", "ann@x.test"), mailbox: mailbox)
        }
        let small = autocomplete(maximumSize: 3000)
        for mailbox in mailboxes + mailboxes {
            #expect(try await small.search("ann", limit: 1, mailbox: mailbox).count == 1)
            #expect(small.usage.mailboxes <= 2 && small.usage.size <= 3000)
        }
        await #expect(throws: Failure.notFound("This mailbox")) {
            try await small.search("ann", limit: 1, mailbox: "nobody@nowhere.test")
        }
        #expect(small.usage.mailboxes <= 2)
    }
}
