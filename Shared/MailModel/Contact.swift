/// An entry of a mailbox's address book, as the API shows it.
public struct Contact: Sendable, Equatable, Codable {
    /// What its owner decides of it.
    public struct Draft: Sendable, Equatable {
        /// May be empty.
        public var name: String
        /// The preferred one first; each once.
        public var emails: [EmailAddress]
        /// As a person would write them.
        public var phones: [String]
        public var organisation: String
        public var note: String

        public init(
            name: String, emails: [EmailAddress], phones: [String] = [], organisation: String = "", note: String = ""
        ) {
            self.name = name
            self.emails = emails
            self.phones = phones
            self.organisation = organisation
            self.note = note
        }
    }

    public let id: Int64
    public let name: String
    public let emails: [String]
    public let phones: [String]
    public let organisation: String
    public let note: String
    /// RFC 3339.
    public let createdAt: String
    /// RFC 3339.
    public let updatedAt: String

    public init(
        id: Int64, name: String, emails: [String], phones: [String], organisation: String, note: String,
        createdAt: String, updatedAt: String
    ) {
        self.id = id
        self.name = name
        self.emails = emails
        self.phones = phones
        self.organisation = organisation
        self.note = note
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, name, emails, phones, organisation, note
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

extension Contact {
    /// What an entry may hold.
    public enum Limit {
        /// Addresses, and phone numbers, of one entry.
        public static let values = 20
        /// Characters of a name, an organisation and a phone number.
        public static let text = 200
        /// Characters.
        public static let note = 4000
    }
}

/// Somebody a mailbox has to do with: of its address book, written to, or heard from.
public struct KnownPerson: Sendable, Equatable {
    public let address: String
    /// Empty when it is not known.
    public let name: String
    /// How often and how lately there was mail between the two; nil for none.
    public let affinity: Affinity?
    /// Whether the address stands in the address book.
    public let isContact: Bool

    public init(address: String, name: String, affinity: Affinity?, isContact: Bool) {
        self.address = address
        self.name = name
        self.affinity = affinity
        self.isContact = isContact
    }

    /// Neither a contact nor one with a history: nobody to show.
    public var isForgotten: Bool { affinity == nil && !isContact }
}
