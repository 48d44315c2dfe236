import MailModel

/// What happens to the mail of a mailbox on arrival: kept as one Sieve script, from which it is read again.
struct SieveRules: Codable, Sendable, Equatable {
    var forwarding = Forwarding()
    var autoreply = Autoreply()
    var filters: [Filter] = []

    /// Copies of each mail to elsewhere.
    struct Forwarding: Codable, Sendable, Equatable {
        var enabled = false
        var destinations: [String] = []
        /// Whether the mail also stays here.
        var keep_copy = true
    }

    /// A reply to each sender, once in some days (RFC 5230).
    struct Autoreply: Codable, Sendable, Equatable {
        var enabled = false
        /// Empty: the subject of the mail, as the server makes it.
        var subject = ""
        var message = ""
        /// `2026-12-24`, in UTC: from this day on; nil from now on.
        var from: String?
        /// The last day; nil without an end.
        var until: String?
        /// A sender is answered again after so many days.
        var interval_days = 7
        /// Further addresses of the person, mail to which is answered too.
        var addresses: [String] = []
    }

    /// What happens to mails that match.
    struct Filter: Codable, Sendable, Equatable {
        enum Match: String, Codable, Sendable { case all, any }

        var name = ""
        var enabled = true
        var match = Match.all
        var conditions: [Condition]
        var actions: [Action]
    }

    struct Condition: Codable, Sendable, Equatable {
        enum Field: String, Codable, Sendable { case from, to, cc, recipient, subject, header, size }
        enum Operation: String, Codable, Sendable {
            case contains, not_contains, `is`, is_not, matches, exists, over, under
        }

        var field: Field
        /// The name, where the field is a header.
        var header: String?
        var op: Operation
        /// Of a size: bytes.
        var value: String?
    }

    struct Action: Codable, Sendable, Equatable {
        enum Kind: String, Codable, Sendable { case move, copy, forward, mark_read, flag, discard, keep, stop }

        var type: Kind
        var folder: String?
        var address: String?
        var flag: String?
    }
}

// What is left out has its default.
extension SieveRules.Forwarding {
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        enabled = try fields.decodeIfPresent(Bool.self, forKey: .enabled) ?? true
        destinations = try fields.decodeIfPresent([String].self, forKey: .destinations) ?? []
        keep_copy = try fields.decodeIfPresent(Bool.self, forKey: .keep_copy) ?? true
    }
}

extension SieveRules.Autoreply {
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        enabled = try fields.decodeIfPresent(Bool.self, forKey: .enabled) ?? true
        subject = try fields.decodeIfPresent(String.self, forKey: .subject) ?? ""
        message = try fields.decodeIfPresent(String.self, forKey: .message) ?? ""
        from = try fields.decodeIfPresent(String.self, forKey: .from)
        until = try fields.decodeIfPresent(String.self, forKey: .until)
        interval_days = try fields.decodeIfPresent(Int.self, forKey: .interval_days) ?? 7
        addresses = try fields.decodeIfPresent([String].self, forKey: .addresses) ?? []
    }
}

extension SieveRules.Filter {
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decodeIfPresent(String.self, forKey: .name) ?? ""
        enabled = try fields.decodeIfPresent(Bool.self, forKey: .enabled) ?? true
        match = try fields.decodeIfPresent(Match.self, forKey: .match) ?? .all
        conditions = try fields.decode([SieveRules.Condition].self, forKey: .conditions)
        actions = try fields.decode([SieveRules.Action].self, forKey: .actions)
    }
}
