/// A statement with its values: written as a string literal whose interpolations become bound parameters.
///
///     let sql: SQL = "SELECT id FROM domains WHERE name = \(name)"   // text: … WHERE name = ?
///
/// There is no way from a `String` to the text of a statement but `\(unsafeRaw:)`.
public struct SQL: Sendable, Equatable, ExpressibleByStringInterpolation {
    /// The text with one `?` per parameter.
    public private(set) var text: String
    public private(set) var parameters: [SQLValue]

    public init(stringLiteral value: String) {
        text = value
        parameters = []
    }

    public init(stringInterpolation: StringInterpolation) {
        text = stringInterpolation.text
        parameters = stringInterpolation.parameters
    }

    public static func + (left: SQL, right: SQL) -> SQL {
        var both = left
        both += right
        return both
    }

    public static func += (left: inout SQL, right: SQL) {
        left.text += right.text
        left.parameters += right.parameters
    }

    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""
        fileprivate var parameters: [SQLValue] = []

        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount)
            parameters.reserveCapacity(interpolationCount)
        }

        public mutating func appendLiteral(_ literal: String) { text += literal }

        /// A value, bound as a parameter; nil is NULL.
        public mutating func appendInterpolation(_ value: (some SQLBindable)?) {
            text += "?"
            parameters.append(value?.sqlValue ?? .null)
        }

        /// The values of an IN list, each bound as a parameter: `IN (\(list: ids))`. Empty: NULL, which equals nothing.
        public mutating func appendInterpolation(list values: [some SQLBindable]) {
            text += values.isEmpty ? "NULL" : repeatElement("?", count: values.count).joined(separator: ", ")
            parameters += values.map(\.sqlValue)
        }

        /// Another statement's text and values.
        public mutating func appendInterpolation(_ part: SQL) {
            text += part.text
            parameters += part.parameters
        }

        /// Text taken as it is. Only for fragments that the program itself holds, never for input.
        public mutating func appendInterpolation(unsafeRaw fragment: String) { text += fragment }
    }
}

extension Sequence<SQL> {
    /// The statements in order with `separator` between two.
    public func joined(separator: SQL) -> SQL {
        var whole: SQL = ""
        for (index, part) in enumerated() {
            if index > 0 { whole += separator }
            whole += part
        }
        return whole
    }
}
