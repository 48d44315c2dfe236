/// A parsed JSON text (RFC 8259).
enum JSONValue {
    case null
    case bool(Bool)
    /// As written; it is made a number of the type that is asked for, so that nothing is rounded on the way.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The type's name for people.
    var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// A JSON object, which remembers what of it was understood.
final class JSONObject {
    let members: [String: JSONValue]
    /// In the order of the text.
    let keys: [String]
    /// The keys which a container opened on this object knows.
    var known: Set<String> = []

    init(members: [String: JSONValue], keys: [String]) {
        self.members = members
        self.keys = keys
    }
}
