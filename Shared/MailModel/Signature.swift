/// What a mailbox ends its messages with, as the API shows it.
public struct Signature: Sendable, Equatable, Codable {
    /// To whom it goes by itself.
    public struct Rule: Sendable, Equatable, Codable {
        public enum MatchType: String, Sendable, Codable, CaseIterable {
            /// Everybody at a domain and below it.
            case domain
            /// One address.
            case address
            /// Everybody.
            case any
        }

        public let matchType: MatchType
        /// A domain as A-labels, or an address, lower case; empty for `any`.
        public let matchValue: String

        public init(_ matchType: MatchType, _ matchValue: String = "") {
            self.matchType = matchType
            self.matchValue = matchValue
        }

        enum CodingKeys: String, CodingKey {
            case matchType = "match_type"
            case matchValue = "match_value"
        }
    }

    /// What its owner decides of it.
    public struct Draft: Sendable, Equatable {
        public var name: String
        /// Safe to put into a page.
        public var html: String
        public var plain: String
        public var isDefault: Bool
        public var rules: [Rule]

        public init(name: String, html: String, plain: String, isDefault: Bool = false, rules: [Rule] = []) {
            self.name = name
            self.html = html
            self.plain = plain
            self.isDefault = isDefault
            self.rules = rules
        }
    }

    public let id: Int64
    /// The mailbox it belongs to, by address.
    public let account: String
    public let name: String
    public let html: String
    public let plain: String
    /// At most one of a mailbox is.
    public let isDefault: Bool
    public let rules: [Rule]
    /// RFC 3339.
    public let createdAt: String
    /// RFC 3339.
    public let updatedAt: String

    public init(id: Int64, account: String, _ draft: Draft, createdAt: String, updatedAt: String) {
        self.id = id
        self.account = account
        self.name = draft.name
        self.html = draft.html
        self.plain = draft.plain
        self.isDefault = draft.isDefault
        self.rules = draft.rules
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, account, name, html, plain, rules
        case isDefault = "is_default"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

extension Signature {
    /// The texts of a message with the signature at their end. A text that is nil stays nil.
    ///
    /// In HTML it stands before the end of the body, in plain text below the line `-- ` that programs know to leave out of
    /// replies (RFC 3676 §4.3).
    public func appended(toHTML html: String?, plain: String?) -> (html: String?, plain: String?) {
        (html.map(appended(toHTML:)), plain.map(appended(toPlain:)))
    }

    private func appended(toHTML text: String) -> String {
        let signature = "<br><div>\(html)</div>"
        let bytes = Array(text.utf8)
        let mark = Array("</body".utf8)
        var start = bytes.count - mark.count
        while start >= 0 {
            if zip(bytes[start...], mark).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
                return String(decoding: bytes[..<start], as: UTF8.self) + signature
                    + String(decoding: bytes[start...], as: UTF8.self)
            }
            start -= 1
        }
        return text + signature
    }

    private func appended(toPlain text: String) -> String {
        let separator = text.isEmpty || text.hasSuffix("\n") || text.hasSuffix("\r\n") ? "" : "\n"
        return text + separator + "-- \n" + plain
    }
}

/// Which signature goes to whom.
public struct SignatureChoice: Sendable, Equatable {
    public let id: Int64
    public let isDefault: Bool
    public let rules: [Signature.Rule]

    public init(id: Int64, isDefault: Bool, rules: [Signature.Rule]) {
        self.id = id
        self.isDefault = isDefault
        self.rules = rules
    }

    /// The best for a recipient: one for the address, else for the longest domain that it is in, else for anybody, else the
    /// default; of equals the oldest. nil when there is none.
    public static func best(of choices: [SignatureChoice], for recipient: EmailAddress) -> Int64? {
        var best: (rank: Int, id: Int64)?
        for choice in choices {
            guard let rank = choice.rank(for: recipient) else { continue }
            guard let known = best, (known.rank, -known.id) >= (rank, -choice.id) else {
                best = (rank, choice.id)
                continue
            }
        }
        return best?.id
    }

    private func rank(for recipient: EmailAddress) -> Int? {
        let ranks = rules.compactMap { rule -> Int? in
            switch rule.matchType {
            case .address: rule.matchValue == recipient.description ? .max : nil
            case .domain: recipient.domain.isWithin(rule.matchValue) ? 1 + rule.matchValue.utf8.count : nil
            case .any: 1
            }
        }
        return ranks.max() ?? (isDefault ? 0 : nil)
    }
}

extension DomainName {
    fileprivate func isWithin(_ domain: String) -> Bool {
        description == domain || description.hasSuffix("." + domain)
    }
}
