import MailModel

/// Decodes JSON and refuses what it does not know: unknown fields at any depth, wrong types, numbers out of range.
enum StrictJSONDecoder {
    /// - Throws: `Failure` `malformed` for what is no JSON, `invalid` naming the field for what does not fit.
    static func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws -> T {
        let value: JSONValue
        do throws(JSONParser.Malformed) {
            value = try JSONParser.parse(bytes)
        } catch {
            throw Failure(
                .malformed, code: "malformed_json", "The body is not JSON: \(error.reason), at byte \(error.offset).")
        }
        let opened = OpenedObjects()
        do {
            let decoded = try T(from: JSONValueDecoder(value: value, path: [], opened: opened))
            if let failure = failure(opened.unknownFields) { throw failure }
            return decoded
        } catch let error as DecodingError {
            throw failure(opened.unknownFields + [field(of: error)]) ?? error
        }
    }

    private static func failure(_ fields: [Failure.Field]) -> Failure? {
        guard let first = fields.first else { return nil }
        return Failure(.invalid, code: "invalid", "\(first.name): \(first.message)", fields: fields)
    }

    private static func field(of error: DecodingError) -> Failure.Field {
        switch error {
        case .keyNotFound(let key, let context):
            Failure.Field(name(context.codingPath + [key]), code: "required", "is required")
        case .typeMismatch(_, let context):
            Failure.Field(name(context.codingPath), code: "wrong_type", context.debugDescription)
        case .valueNotFound(_, let context):
            Failure.Field(name(context.codingPath), code: "required", "must not be null")
        case .dataCorrupted(let context):
            Failure.Field(name(context.codingPath), code: "invalid", "is not a value that is understood")
        @unknown default: Failure.Field("body", code: "invalid", "is not valid")
        }
    }

    /// `rules.0.match_type`; `body` for the whole.
    static func name(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "body" }
        return path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
}

/// The objects that were decoded as something with known fields.
final class OpenedObjects {
    private var objects: [(path: [any CodingKey], object: JSONObject)] = []

    func add(_ object: JSONObject, at path: [any CodingKey]) { objects.append((path, object)) }

    /// The fields that no container on their object knew, each once, in the order of the text.
    var unknownFields: [Failure.Field] {
        var seen: Set<String> = []
        return objects.flatMap { path, object in
            object.keys.filter { !object.known.contains($0) }.map { StrictJSONDecoder.name(path + [JSONKey($0)]) }
        }
        .filter { seen.insert($0).inserted }
        .map { Failure.Field($0, code: "unknown_field", "is not a known field") }
    }
}

struct JSONKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(index: Int) {
        stringValue = String(index)
        intValue = index
    }

    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { self.init(index: intValue) }
}
