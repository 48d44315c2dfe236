/// A statement with its parameters. What is interpolated is bound, never spliced:
///
///     let rows = try await database.query("SELECT id FROM domains WHERE domain = \(name)")
///
/// sends `SELECT id FROM domains WHERE domain = ?` to be prepared once, and the name as its parameter. Another `SQL` that is
/// interpolated becomes a part of the text and brings its own parameters.
public struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// The text with `?` where the parameters go.
    public private(set) var text: String
    public private(set) var parameters: [SQLValue]

    public init(stringLiteral text: String) {
        self.text = text
        self.parameters = []
    }

    public init(stringInterpolation: Interpolation) { self = stringInterpolation.sql }

    public static func + (left: SQL, right: SQL) -> SQL {
        var sum = left
        sum.append(right)
        return sum
    }

    fileprivate mutating func append(_ other: SQL) {
        text += other.text
        parameters += other.parameters
    }

    public struct Interpolation: StringInterpolationProtocol {
        fileprivate var sql: SQL = ""

        public init(literalCapacity: Int, interpolationCount: Int) {
            sql.text.reserveCapacity(literalCapacity + interpolationCount)
            sql.parameters.reserveCapacity(interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) { sql.text += literal }

        /// A parameter.
        public mutating func appendInterpolation(_ value: (some SQLBindable)?) {
            sql.text += "?"
            sql.parameters.append(value?.sqlValue ?? .null)
        }

        /// A part of the statement.
        public mutating func appendInterpolation(_ part: SQL) { sql.append(part) }

        /// Parameters with commas between them, for `IN (…)`; an empty list becomes NULL, which nothing is in.
        public mutating func appendInterpolation(list values: [some SQLBindable]) {
            sql.text += values.isEmpty ? "NULL" : Array(repeating: "?", count: values.count).joined(separator: ", ")
            sql.parameters += values.map(\.sqlValue)
        }
    }
}

/// A value on its way to or from the server.
public enum SQLValue: Sendable, Hashable {
    case null
    case int(Int64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
}

/// What may be interpolated into `SQL` as a parameter.
public protocol SQLBindable { var sqlValue: SQLValue { get } }

extension Int: SQLBindable { public var sqlValue: SQLValue { .int(Int64(self)) } }
extension Int64: SQLBindable { public var sqlValue: SQLValue { .int(self) } }
extension UInt32: SQLBindable { public var sqlValue: SQLValue { .int(Int64(self)) } }
extension Bool: SQLBindable { public var sqlValue: SQLValue { .int(self ? 1 : 0) } }
extension Double: SQLBindable { public var sqlValue: SQLValue { .double(self) } }
extension String: SQLBindable { public var sqlValue: SQLValue { .string(self) } }
extension [UInt8]: SQLBindable { public var sqlValue: SQLValue { .bytes(self) } }
