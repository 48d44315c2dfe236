import MariaDB
import MailModel

extension ContactStore {
    /// A mailbox's address book within a transaction that changes it; its writers stand in line.
    struct Book {
        let account: Int64
        /// What the book is after the transaction.
        let version: Int64
    }

    /// - Throws: `Failure.notFound` when there is no such mailbox.
    static func lock(_ mailbox: String, in tx: Transaction) throws -> Book {
        guard let account = try tx.query("SELECT id FROM accounts WHERE email = \(mailbox)").first?.int64("id") else {
            throw Failure.notFound("This mailbox")
        }
        try tx.execute(
            """
            INSERT INTO contact_books (account_id, version) VALUES (\(account), 1)
            ON DUPLICATE KEY UPDATE version = version + 1
            """)
        let version = try tx.query("SELECT version FROM contact_books WHERE account_id = \(account)").first?
            .int64("version")
        return Book(account: account, version: version ?? 1)
    }
}

extension ContactStore.Book {
    /// Rows of one statement, so that it stays far from the limit of 65,535 parameters.
    static let batch = 500

    /// Which entry has which address.
    func owners(of addresses: [String], in tx: Transaction) throws -> [String: Int64] {
        var owners: [String: Int64] = [:]
        for batch in addresses.batches(of: Self.batch) {
            let rows = try tx.query(
                """
                SELECT address, contact_id FROM contact_addresses
                WHERE account_id = \(account) AND contact_id IS NOT NULL AND address IN (\(list: batch))
                """)
            for row in rows { owners[try row.string("address")] = try row.int64("contact_id") }
        }
        return owners
    }

    /// - Throws: `Failure.conflict` naming an address that another entry has.
    func require(free addresses: [String], except contact: Int64?, in tx: Transaction) throws {
        let owners = try owners(of: addresses, in: tx)
        for address in addresses {
            guard let owner = owners[address], owner != contact else { continue }
            throw Failure.conflict("contact_exists", "There is a contact with the address \(address) already.")
        }
    }

    /// - Throws: `Failure.invalid` when so many more do not fit.
    func requireRoom(for more: Int, in tx: Transaction) throws {
        guard more > 0 else { return }
        let count = try tx.query("SELECT COUNT(*) AS n FROM contacts WHERE account_id = \(account)").first?.int("n")
        guard (count ?? 0) + more <= ContactStore.limit else {
            throw Failure.invalid("contacts", code: "too_many", "an address book may have \(ContactStore.limit)")
        }
    }

    /// - Returns: 0 without asking when there is nothing to add.
    func count(ofAddressesOf contact: Int64, ifAny further: [String], in tx: Transaction) throws -> Int {
        guard !further.isEmpty else { return 0 }
        return try tx.query("SELECT COUNT(*) AS n FROM contact_addresses WHERE contact_id = \(contact)").first?.int("n")
            ?? 0
    }

    /// - Returns: Their ids, in order.
    func insert(_ drafts: [Contact.Draft], in tx: Transaction) throws -> [Int64] {
        let now = Timestamp.now()
        // One statement each, since only then is it certain which id an entry has.
        let ids = try drafts.map { draft in
            try tx.execute(
                """
                INSERT INTO contacts (account_id, name, phones, organisation, note, created_at, updated_at)
                VALUES (\(account), \(draft.name), \(draft.phones.joined(separator: "\n")), \(draft.organisation),
                        \(draft.note), \(now), \(now))
                """
            ).lastInsertID
        }
        let addresses = zip(drafts, ids).flatMap { draft, id in
            draft.emails.enumerated().map { (address: $1.description, contact: id, position: $0) }
        }
        try attach(addresses, in: tx)
        return ids
    }

    /// Gives addresses to entries.
    ///
    /// - Throws: `Failure.invalid` when so many more do not fit.
    func attach(_ addresses: [(address: String, contact: Int64, position: Int)], in tx: Transaction) throws {
        guard try hasRoom(forAddresses: addresses.count, in: tx) else {
            throw Failure.invalid("emails", code: "too_many", "\(ContactStore.addressLimit) addresses are kept in all")
        }
        for batch in addresses.batches(of: Self.batch) {
            let rows = batch.map { entry -> SQL in
                "(\(account), \(entry.address), \(entry.contact), \(entry.position), \(version))"
            }
            try tx.execute(
                """
                INSERT INTO contact_addresses (account_id, address, contact_id, position, version)
                VALUES \(rows.joined(separator: ", ")) ON DUPLICATE KEY UPDATE
                  contact_id = VALUES(contact_id), position = VALUES(position), version = VALUES(version)
                """)
        }
    }

    /// Whether so many more addresses fit, if need be in the place of forgotten ones.
    func hasRoom(forAddresses more: Int, in tx: Transaction) throws -> Bool {
        let count: SQL = "SELECT COUNT(*) AS n FROM contact_addresses WHERE account_id = \(account)"
        if try (tx.query(count).first?.int("n") ?? 0) + more <= ContactStore.addressLimit { return true }
        try tx.execute(
            """
            DELETE FROM contact_addresses WHERE account_id = \(account) AND contact_id IS NULL AND affinity IS NULL
            """)
        try tx.execute("UPDATE contact_books SET complete_from = \(version) WHERE account_id = \(account)")
        return try (tx.query(count).first?.int("n") ?? 0) + more <= ContactStore.addressLimit
    }

    /// Takes addresses from an entry, and with them what is known of mail to and from them.
    func forgetAddresses(of contact: Int64, except kept: [String], in tx: Transaction) throws {
        var condition: SQL = "contact_id = \(contact) AND account_id = \(account)"
        if !kept.isEmpty { condition += " AND address NOT IN (\(list: kept))" }
        try tx.execute(
            """
            UPDATE contact_addresses SET contact_id = NULL, affinity = NULL, name = '', version = \(version)
            WHERE \(condition)
            """)
    }
}

extension Array {
    /// In pieces of at most `size`.
    func batches(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
