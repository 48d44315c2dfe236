import MailModel

/// A name that people give to something: a customer, a token, an app password.
struct DisplayName: Sendable {
    let text: String

    /// - Throws: `Failure` `invalid` unless it has 1 to 200 characters without control characters.
    init(_ text: String, field: String = "name") throws {
        let name = text.trimmingPrefix(while: \.isWhitespace)
        guard (1...200).contains(name.unicodeScalars.count),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw Failure.invalid(field, code: "invalid_name", "must be 1 to 200 characters") }
        self.text = String(name)
    }
}

extension Timestamp {
    /// - Throws: `Failure` `invalid` unless it is an RFC 3339 time to come.
    static func future(_ text: String, field: String) throws -> Int64 {
        guard let time = milliseconds(rfc3339: text), time > now() else {
            throw Failure.invalid(field, code: "invalid_time", "must be a time to come, like 2027-01-01T00:00:00Z")
        }
        return time
    }
}
