import HummingbirdCore
import MailModel

/// What a message list was asked for in its query string.
struct ListRequest: Sendable, Equatable {
    enum Sort: String, Sendable, CaseIterable {
        /// When it came into the folder: the order the mail server keeps, so it costs nothing.
        case received
        /// The `Date` header.
        case date
        case from, to, subject, size
    }

    enum Order: String, Sendable, CaseIterable { case descending = "desc", ascending = "asc" }

    let page: PageRequest
    var sort = Sort.received
    var order = Order.descending
    /// Only those with, or without, `\Seen`.
    var unseen: Bool?
    /// Only those with, or without, `\Flagged`.
    var flagged: Bool?
    /// Only those with, or without, attachments.
    var hasAttachments: Bool?
    /// One item for each thread: its newest message.
    var isThreaded = false
    var query: SearchQuery?

    /// Whether the page is a plain window of the folder, newest first or last.
    var isWindow: Bool {
        sort == .received && unseen == nil && flagged == nil && hasAttachments == nil && !isThreaded
            && (query?.terms.isEmpty ?? true)
    }

    /// - Throws: `Failure` of kind `invalid` naming the parameter.
    init(_ parameters: FlatDictionary<Substring, Substring>) throws(Failure) {
        page = try PageRequest(
            page: try Self.number("page", in: parameters) ?? 1,
            perPage: try Self.number("per_page", in: parameters) ?? 50)
        sort = try Self.word("sort", in: parameters) ?? .received
        order = try Self.word("order", in: parameters) ?? .descending
        unseen = try Self.flag("unseen", in: parameters)
        flagged = try Self.flag("flagged", in: parameters)
        isThreaded = try Self.flag("threads", in: parameters) ?? false
        hasAttachments = try Self.flag("has_attachments", in: parameters)
        guard let text = parameters["q"] else { return }
        let query = try SearchQuery(String(text))
        self.query = query
        if let asked = hasAttachments, let other = query.hasAttachments, asked != other {
            throw .invalid("has_attachments", code: "invalid_value", "must not contradict q")
        }
        hasAttachments = hasAttachments ?? query.hasAttachments
    }

    static func flag(_ name: String, in parameters: FlatDictionary<Substring, Substring>) throws(Failure) -> Bool? {
        switch parameters[name[...]] {
        case nil: nil
        case "true", "1": true
        case "false", "0": false
        default: throw .invalid(name, code: "invalid_type", "must be true or false")
        }
    }

    static func number(_ name: String, in parameters: FlatDictionary<Substring, Substring>) throws(Failure) -> Int? {
        guard let text = parameters[name[...]] else { return nil }
        guard let number = Int(text) else { throw .invalid(name, code: "invalid_type", "must be a whole number") }
        return number
    }

    static func uidValidity(in parameters: FlatDictionary<Substring, Substring>) throws(Failure) -> UInt32? {
        guard let number = try number("uid_validity", in: parameters) else { return nil }
        guard let value = UInt32(exactly: number), value > 0 else {
            throw .invalid("uid_validity", code: "out_of_range", "must be from 1 to 4294967295")
        }
        return value
    }

    private static func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String, in parameters: FlatDictionary<Substring, Substring>
    ) throws(Failure) -> Word? {
        guard let text = parameters[name[...]] else { return nil }
        guard let word = Word(rawValue: String(text)) else {
            let all = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid(name, code: "invalid_value", "must be one of \(all)")
        }
        return word
    }
}
