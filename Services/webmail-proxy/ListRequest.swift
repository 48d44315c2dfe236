import HummingbirdCore
import MailModel

/// What a message list was asked for in its query string.
struct ListRequest: Equatable {
    enum Sort: String, CaseIterable {
        /// When it came into the folder: the order the mail server keeps, so it costs nothing.
        case received
        /// The `Date` header.
        case date
        case from, to, subject, size
    }

    enum Order: String, CaseIterable { case descending = "desc", ascending = "asc" }

    let page: PageRequest
    var sort = Sort.received
    var order = Order.descending
    /// Only those with, or without, `\Seen`.
    var unseen: Bool?
    /// Only those with, or without, `\Flagged`.
    var flagged: Bool?
    var query: SearchQuery?

    /// Whether the page is a plain window of the folder, newest first or last.
    var isWindow: Bool { sort == .received && unseen == nil && flagged == nil && (query?.terms.isEmpty ?? true) }

    /// - Throws: `Failure` of kind `invalid` naming the parameter; also for the ones that are not supported yet, so that
    ///   a filter is never silently ignored.
    init(_ parameters: FlatDictionary<Substring, Substring>) throws(Failure) {
        for name in ["has_attachments", "threads"] where parameters[name[...]] != nil {
            throw .invalid(name, code: "unsupported", "is not supported yet")
        }
        page = try PageRequest(
            page: try Self.number("page", in: parameters) ?? 1,
            perPage: try Self.number("per_page", in: parameters) ?? 50)
        sort = try Self.word("sort", in: parameters) ?? .received
        order = try Self.word("order", in: parameters) ?? .descending
        unseen = try Self.flag("unseen", in: parameters)
        flagged = try Self.flag("flagged", in: parameters)
        if let text = parameters["q"] { query = try SearchQuery(String(text)) }
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
