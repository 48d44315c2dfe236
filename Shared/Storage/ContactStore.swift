import MariaDB
public import MailModel

/// The address books of the mailboxes; whom else a mailbox knows stands in `ContactStore+People.swift`.
///
/// Every method is bound to one mailbox, and throws `Failure.notFound` when there is none of that address.
public struct ContactStore: Sendable {
    let database: Database

    /// How many entries an address book may have.
    public static let limit = 50_000

    /// - Parameter matching: Part of a name, an organisation or an address; case and accents do not matter.
    public func list(matching: String?, _ page: PageRequest, mailbox: String) async throws -> Page<Contact> {
        let account = try await id(of: mailbox)
        var condition: SQL = "c.account_id = \(account)"
        if let matching, !matching.isEmpty {
            let pattern = "%\(Self.escaped(matching))%"
            condition += """
                 AND (c.name LIKE \(pattern) OR c.organisation LIKE \(pattern) OR EXISTS (
                  SELECT 1 FROM contact_addresses e WHERE e.contact_id = c.id AND e.address LIKE \(pattern.lowercased())))
                """
        }
        let items = try await list(where: condition + " ORDER BY c.name, c.id" + SQL.page(page))
        let total = try await database.query("SELECT COUNT(*) AS n FROM contacts c WHERE \(condition)").first?.int("n")
        return Page(items: items, request: page, total: total ?? 0)
    }

    /// The entries with a greater id than `id`, in the order of ids; for going through all of them.
    public func list(after id: Int64, limit: Int, mailbox: String) async throws -> [Contact] {
        let account = try await self.id(of: mailbox)
        return try await list(
            where: "c.account_id = \(account) AND c.id > \(id) ORDER BY c.id LIMIT \(limit)")
    }

    /// - Throws: `Failure.notFound` also for one of another mailbox.
    public func find(_ id: Int64, mailbox: String) async throws -> Contact {
        let account = try await self.id(of: mailbox)
        guard let found = try await list(where: "c.id = \(id) AND c.account_id = \(account)").first else {
            throw Failure.notFound("This contact")
        }
        return found
    }

    /// - Throws: `Failure` `conflict` `contact_exists` naming the address that another entry has, `invalid` when the book
    ///   is full.
    public func create(_ draft: Contact.Draft, mailbox: String) async throws -> Contact {
        let id = try await database.transaction { tx in
            let book = try Self.lock(mailbox, in: tx)
            try book.require(free: draft.emails.map(\.description), except: nil, in: tx)
            try book.requireRoom(for: 1, in: tx)
            guard let id = try book.insert([draft], in: tx).first else { throw Failure.notFound("This contact") }
            return id
        }
        return try await find(id, mailbox: mailbox)
    }

    /// Puts another in its place, of the same id. Addresses that it had before are forgotten.
    ///
    /// - Throws: `Failure` `notFound` also for one of another mailbox, `conflict` `contact_exists`.
    public func replace(_ id: Int64, _ draft: Contact.Draft, mailbox: String) async throws -> Contact {
        let addresses = draft.emails.map(\.description)
        try await database.transaction { tx in
            let book = try Self.lock(mailbox, in: tx)
            let outcome = try tx.execute(
                """
                UPDATE contacts SET name = \(draft.name), phones = \(draft.phones.joined(separator: "\n")),
                  organisation = \(draft.organisation), note = \(draft.note), updated_at = \(Timestamp.now())
                WHERE id = \(id) AND account_id = \(book.account)
                """)
            guard outcome.affectedRows == 1 else { throw Failure.notFound("This contact") }
            try book.require(free: addresses, except: id, in: tx)
            try book.forgetAddresses(of: id, except: addresses, in: tx)
            try book.attach(addresses.enumerated().map { ($1, id, $0) }, in: tx)
        }
        return try await find(id, mailbox: mailbox)
    }

    /// Its addresses are forgotten too, until there is mail again.
    ///
    /// - Throws: `Failure.notFound` also for one of another mailbox.
    public func delete(_ id: Int64, mailbox: String) async throws {
        try await database.transaction { tx in
            let book = try Self.lock(mailbox, in: tx)
            let found = try tx.query("SELECT id FROM contacts WHERE id = \(id) AND account_id = \(book.account)")
            guard !found.isEmpty else { throw Failure.notFound("This contact") }
            try book.forgetAddresses(of: id, except: [], in: tx)
            try tx.execute("DELETE FROM contacts WHERE id = \(id) AND account_id = \(book.account)")
        }
    }

    /// What became of imported entries.
    public struct Imported: Sendable, Equatable {
        /// New entries.
        public var created = 0
        /// Entries that got further addresses.
        public var extended = 0
        /// Entries whose addresses all were there.
        public var unchanged = 0

        public init() {}
    }

    /// Adds entries that are not there yet, in one transaction: of one that shares an address with an entry, the other
    /// addresses go to that entry.
    ///
    /// - Parameter drafts: At most 500, each with an address, none in two of them.
    /// - Throws: `Failure.invalid` when the book is full.
    public func add(_ drafts: [Contact.Draft], mailbox: String) async throws -> Imported {
        try await database.transaction { tx in
            let book = try Self.lock(mailbox, in: tx)
            let owners = try book.owners(of: drafts.flatMap { $0.emails.map(\.description) }, in: tx)
            var imported = Imported()
            var new: [Contact.Draft] = []
            var further: [(address: String, contact: Int64, position: Int)] = []
            for draft in drafts {
                let addresses = draft.emails.map(\.description)
                guard let owner = addresses.lazy.compactMap({ owners[$0] }).first else {
                    new.append(draft)
                    continue
                }
                let unknown = addresses.filter { owners[$0] == nil }
                let had = try book.count(ofAddressesOf: owner, ifAny: unknown, in: tx)
                let fitting = unknown.prefix(max(0, Contact.Limit.values - had))
                further += fitting.enumerated().map { ($1, owner, had + $0) }
                if fitting.isEmpty { imported.unchanged += 1 } else { imported.extended += 1 }
            }
            try book.requireRoom(for: new.count, in: tx)
            _ = try book.insert(new, in: tx)
            try book.attach(further, in: tx)
            imported.created = new.count
            return imported
        }
    }

    func id(of mailbox: String) async throws -> Int64 {
        guard let id = try await database.query("SELECT id FROM accounts WHERE email = \(mailbox)").first?.int64("id")
        else { throw Failure.notFound("This mailbox") }
        return id
    }

    /// Of a LIKE pattern: what stands for itself.
    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
    }

    private func list(where condition: SQL) async throws -> [Contact] {
        try await database.query(
            """
            SELECT c.id, c.name, c.phones, c.organisation, c.note, c.created_at, c.updated_at,
              (SELECT GROUP_CONCAT(e.address ORDER BY e.position, e.address SEPARATOR ' ') FROM contact_addresses e
               WHERE e.contact_id = c.id) AS emails
            FROM contacts c WHERE \(condition)
            """
        ).map { row in
            Contact(
                id: try row.int64("id"), name: try row.string("name"),
                emails: try row.optionalString("emails")?.split(separator: " ").map(String.init) ?? [],
                phones: try row.string("phones").split(separator: "\n").map(String.init),
                organisation: try row.string("organisation"), note: try row.string("note"),
                createdAt: Timestamp.rfc3339(milliseconds: try row.int64("created_at")),
                updatedAt: Timestamp.rfc3339(milliseconds: try row.int64("updated_at")))
        }
    }
}
