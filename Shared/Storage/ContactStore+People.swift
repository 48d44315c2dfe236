import MariaDB
public import MailModel

extension ContactStore {
    /// How many addresses are kept of a mailbox, contacts and others together.
    public static let addressLimit = 100_000

    /// What a copy of a mailbox's people must know to stay true.
    public struct BookState: Sendable, Equatable {
        /// Another when the mailbox was deleted and made again.
        public let account: Int64
        /// Raised by every change.
        public let version: Int64
        /// A copy of an older version has to be made anew.
        public let completeFrom: Int64
    }

    /// Mail between a mailbox and somebody, added up.
    public struct Correspondent: Sendable, Equatable {
        public let address: EmailAddress
        /// As the mails have it; empty when they do not.
        public var name: String
        public var affinity: Affinity
        /// The latest mail to them: milliseconds since 1970; nil when they were only heard from.
        public var wroteAt: Int64?

        public init(address: EmailAddress, name: String, affinity: Affinity, wroteAt: Int64?) {
            self.address = address
            self.name = name
            self.affinity = affinity
            self.wroteAt = wroteAt
        }
    }

    /// A folder that people are gathered from.
    public enum Source: Sendable, CaseIterable {
        /// Those written to.
        case sent
        /// Those heard from.
        case inbox
    }

    /// Up to which mail of a folder people were gathered.
    public struct Progress: Sendable, Equatable {
        public let uidValidity: UInt32
        public let uid: UInt32

        public init(uidValidity: UInt32, uid: UInt32) {
            self.uidValidity = uidValidity
            self.uid = uid
        }
    }

    /// One cheap look whether a copy is still true.
    public func state(of mailbox: String) async throws -> BookState {
        let rows = try await database.query(
            """
            SELECT a.id, COALESCE(b.version, 0) AS version, COALESCE(b.complete_from, 0) AS complete_from
            FROM accounts a LEFT JOIN contact_books b ON b.account_id = a.id WHERE a.email = \(mailbox)
            """)
        guard let row = rows.first else { throw Failure.notFound("This mailbox") }
        return BookState(
            account: try row.int64("id"), version: try row.int64("version"),
            completeFrom: try row.int64("complete_from"))
    }

    /// Whom a mailbox knows, in the order of addresses: all who are not forgotten, or, after a version, whatever has changed.
    ///
    /// - Parameters:
    ///   - version: nil for all.
    ///   - address: Where to go on; empty from the beginning.
    public func people(
        after version: Int64?, startingAfter address: String, limit: Int, mailbox: String
    ) async throws -> [KnownPerson] {
        let account = try await id(of: mailbox)
        let isWanted: SQL =
            version.map { "e.version > \($0)" } ?? "(e.contact_id IS NOT NULL OR e.affinity IS NOT NULL)"
        return try await database.query(
            """
            SELECT e.address, IF(c.name <> '', c.name, e.name) AS name, e.affinity, e.contact_id IS NOT NULL AS is_contact
            FROM contact_addresses e LEFT JOIN contacts c ON c.id = e.contact_id
            WHERE e.account_id = \(account) AND \(isWanted) AND e.address > \(address)
            ORDER BY e.address LIMIT \(limit)
            """
        ).map { row in
            KnownPerson(
                address: try row.string("address"), name: try row.string("name"),
                affinity: try row.optionalDouble("affinity").map(Affinity.init(exponent:)),
                isContact: try row.bool("is_contact"))
        }
    }

    /// The addresses that lead to a mailbox: its own and its aliases.
    public func ownAddresses(of mailbox: String) async throws -> Set<String> {
        Set(
            try await database.query("SELECT sender FROM postfix_senders WHERE login = \(mailbox)")
                .map { try $0.string("sender") }
        ).union([mailbox])
    }

    /// Notes mail to people. One that is not later than the latest known to the same address was noted before.
    public func record(_ people: [Correspondent], mailbox: String) async throws {
        guard !people.isEmpty else { return }
        try await database.transaction { tx in
            try Self.lock(mailbox, in: tx).record(people, isHistory: false, in: tx)
        }
    }

    /// Up to where people were gathered; nil when they never were.
    public func progress(of source: Source, mailbox: String) async throws -> Progress? {
        let account = try await id(of: mailbox)
        return try await database.query("SELECT * FROM contact_books WHERE account_id = \(account)").first
            .flatMap { try Progress($0, source) }
    }

    /// Notes the people of a folder, and up to where it was read, both or nothing; nothing when others were faster.
    ///
    /// - Parameter known: The progress from which the folder was read; nil for the first time.
    public func record(
        _ people: [Correspondent], from source: Source, after known: Progress?, upTo progress: Progress, mailbox: String
    ) async throws {
        try await database.transaction { tx in
            let book = try Self.lock(mailbox, in: tx)
            let row = try tx.query("SELECT * FROM contact_books WHERE account_id = \(book.account)").first
            guard try row.flatMap({ try Progress($0, source) }) == known else { return }
            switch source {
            case .sent:
                try tx.execute(
                    """
                    UPDATE contact_books SET sent_uid_validity = \(progress.uidValidity), sent_uid = \(progress.uid)
                    WHERE account_id = \(book.account)
                    """)
            case .inbox:
                try tx.execute(
                    """
                    UPDATE contact_books SET inbox_uid_validity = \(progress.uidValidity), inbox_uid = \(progress.uid)
                    WHERE account_id = \(book.account)
                    """)
            }
            try book.record(people, isHistory: known == nil || source == .inbox, in: tx)
        }
    }
}

extension ContactStore.Progress {
    fileprivate init?(_ row: Row, _ source: ContactStore.Source) throws {
        let names = source == .sent ? ("sent_uid_validity", "sent_uid") : ("inbox_uid_validity", "inbox_uid")
        guard let validity = try row.optionalInt64(names.0), let uid = try row.optionalInt64(names.1) else {
            return nil
        }
        self.init(uidValidity: UInt32(clamping: validity), uid: UInt32(clamping: uid))
    }
}

extension ContactStore.Book {
    /// Adds up what is known and what is new.
    ///
    /// - Parameter isHistory: It counts whatever the latest mail known is.
    fileprivate func record(
        _ people: [ContactStore.Correspondent], isHistory: Bool, in tx: Transaction
    ) throws {
        for batch in try fitting(people, in: tx).batches(of: Self.batch) {
            let rows = batch.map { person -> SQL in
                """
                (\(account), \(person.address.description), \(person.name), \(person.affinity.exponent),
                 \(person.wroteAt), \(version))
                """
            }
            // Affinity.+, as one step with what others add meanwhile; assignments are made from left to right.
            try tx.execute(
                """
                INSERT INTO contact_addresses (account_id, address, name, affinity, wrote_at, version)
                VALUES \(rows.joined(separator: ", ")) ON DUPLICATE KEY UPDATE
                  affinity = IF(\(isHistory) OR wrote_at IS NULL OR VALUES(wrote_at) > wrote_at,
                    COALESCE(
                      GREATEST(affinity, VALUES(affinity)) + LOG2(1 + POW(2, -ABS(affinity - VALUES(affinity)))),
                      VALUES(affinity)),
                    affinity),
                  name = IF(VALUES(name) <> '', VALUES(name), name),
                  wrote_at = GREATEST(COALESCE(wrote_at, VALUES(wrote_at)), COALESCE(VALUES(wrote_at), wrote_at)),
                  version = VALUES(version)
                """)
        }
    }

    /// All of them while there is room; else those that are known already.
    private func fitting(
        _ people: [ContactStore.Correspondent], in tx: Transaction
    ) throws -> [ContactStore.Correspondent] {
        if try hasRoom(forAddresses: people.count, in: tx) { return people }
        var known: Set<String> = []
        for batch in people.map(\.address.description).batches(of: Self.batch) {
            let rows = try tx.query(
                "SELECT address FROM contact_addresses WHERE account_id = \(account) AND address IN (\(list: batch))")
            for row in rows { known.insert(try row.string("address")) }
        }
        return people.filter { known.contains($0.address.description) }
    }
}
