public import Hummingbird
public import MailModel

/// The fields of a query string or of an `application/x-www-form-urlencoded` body, in order.
public struct FormFields: Sendable {
    private var fields: [(name: String, value: String)] = []

    /// - Throws: `Failure` `malformed` for broken percent-encoding or more than 1000 fields.
    public init(_ encoded: some StringProtocol) throws {
        guard !encoded.isEmpty else { return }
        // By bytes: as characters, "&" and "=" with an accent on them would be others.
        for pair in String(encoded).utf8.split(separator: UInt8(ascii: "&"), maxSplits: 1000) {
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                .map { Substring($0) }
            guard fields.count < 1000, let name = PercentEncoding.decode(parts[0], plusIsSpace: true),
                let value = parts.count == 2 ? PercentEncoding.decode(parts[1], plusIsSpace: true) : ""
            else { throw Failure(.malformed, code: "malformed_form", "The form or query is not well-formed.") }
            fields.append((name, value))
        }
    }

    /// The first value of a field.
    public subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Every value of a field.
    public func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// A whole number.
    ///
    /// - Throws: `Failure` `invalid` when the field is there and is none.
    public func int(_ name: String) throws -> Int? {
        guard let text = self[name] else { return nil }
        guard let value = Int(text) else { throw Failure.invalid(name, code: "not_a_number", "must be a whole number") }
        return value
    }

    /// `true` or `false` (or `1`, `0`).
    ///
    /// - Throws: `Failure` `invalid` when the field is there and is neither.
    public func bool(_ name: String) throws -> Bool? {
        switch self[name] {
        case nil: nil
        case "true", "1": true
        case "false", "0": false
        default: throw Failure.invalid(name, code: "not_a_boolean", "must be true or false")
        }
    }
}

extension Request {
    /// The query string.
    ///
    /// - Throws: `Failure` `malformed`.
    public func query() throws -> FormFields { try FormFields(uri.query ?? "") }

    /// An `application/x-www-form-urlencoded` body of at most 64 kB.
    ///
    /// - Throws: `Failure`: `unsupportedMediaType`, `tooLarge`, `malformed`.
    public func form() async throws -> FormFields {
        guard mediaType == "application/x-www-form-urlencoded" else {
            throw Failure(
                .unsupportedMediaType, code: "unsupported_media_type",
                "The body must be application/x-www-form-urlencoded.")
        }
        let buffer = try await bodyBytes(upTo: 65_536)
        return try FormFields(String(buffer: buffer))
    }

    /// The content type without parameters, lower case; empty when there is none.
    var mediaType: String {
        guard let value = headers[.contentType] else { return "" }
        return value.prefix { $0 != ";" && $0 != " " }.lowercased()
    }
}

extension PageRequest {
    /// `page` and `per_page` of the query.
    ///
    /// - Throws: `Failure` `invalid` naming the field.
    public init(_ request: Request) throws {
        let query = try request.query()
        self = try PageRequest(page: query.int("page") ?? 1, perPage: query.int("per_page") ?? 50)
    }
}
