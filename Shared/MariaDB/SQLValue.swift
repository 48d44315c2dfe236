/// One value, as it is bound to a placeholder or found in a row.
public enum SQLValue: Sendable, Hashable {
    case null
    case int(Int64)
    /// Only for what does not fit in `int`: the upper half of `BIGINT UNSIGNED`.
    case unsigned(UInt64)
    case double(Double)
    /// Text, and what has no type of its own here: DECIMAL, DATE, TIME, DATETIME, TIMESTAMP as the server writes them.
    case string(String)
    /// BINARY, VARBINARY, BLOB, BIT.
    case bytes([UInt8])
}

/// What can stand in a statement as `\(value)`: always bound as a parameter, never put into the text.
public protocol SQLBindable: Sendable {
    var sqlValue: SQLValue { get }
}

extension SQLValue: SQLBindable { public var sqlValue: SQLValue { self } }
extension Int: SQLBindable { public var sqlValue: SQLValue { .int(Int64(self)) } }
extension Int64: SQLBindable { public var sqlValue: SQLValue { .int(self) } }
extension Int32: SQLBindable { public var sqlValue: SQLValue { .int(Int64(self)) } }
extension UInt32: SQLBindable { public var sqlValue: SQLValue { .int(Int64(self)) } }
extension UInt64: SQLBindable {
    public var sqlValue: SQLValue { Int64(exactly: self).map(SQLValue.int) ?? .unsigned(self) }
}
extension Double: SQLBindable { public var sqlValue: SQLValue { .double(self) } }
extension Bool: SQLBindable { public var sqlValue: SQLValue { .int(self ? 1 : 0) } }
extension String: SQLBindable { public var sqlValue: SQLValue { .string(self) } }
extension Substring: SQLBindable { public var sqlValue: SQLValue { .string(String(self)) } }
extension [UInt8]: SQLBindable { public var sqlValue: SQLValue { .bytes(self) } }
