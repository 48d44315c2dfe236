/// The names of a result's columns, shared by its rows.
final class Columns: Sendable {
    let names: [String]
    private let indices: [String: Int]

    init(_ names: [String]) {
        self.names = names
        indices = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    subscript(name: String) -> Int? { indices[name] }
}

/// One row of a result. Columns are asked for by name; each accessor throws `MariaDBError.column` where the column is
/// missing, NULL (but for the `optional…` ones) or of another type.
public struct Row: Sendable {
    let columns: Columns
    let values: [SQLValue]

    /// The names of the columns in the order of the statement.
    public var names: [String] { columns.names }

    /// Where a column stands in every row of the result; for results of many rows, which are then read by position.
    public func position(_ name: String) throws(MariaDBError) -> Int {
        guard let index = columns[name] else { throw .column(name: name, problem: "no such column") }
        return index
    }

    public func value(_ name: String) throws(MariaDBError) -> SQLValue {
        let index = try position(name)
        return values[index]
    }

    public func int64(_ name: String) throws(MariaDBError) -> Int64 { try int64(at: position(name)) }

    public func int64(at position: Int) throws(MariaDBError) -> Int64 {
        guard let number = try optionalInt64(at: position) else { throw null(position) }
        return number
    }

    public func optionalInt64(_ name: String) throws(MariaDBError) -> Int64? { try optionalInt64(at: position(name)) }

    public func optionalInt64(at position: Int) throws(MariaDBError) -> Int64? {
        switch values[position] {
        case .null: return nil
        case .int(let number): return number
        case .bytes(let bits) where bits.count <= 8: return bits.reduce(0) { $0 << 8 | Int64($1) }
        // SUM() and the like are DECIMAL
        case .string(let text):
            guard let number = Int64(text) else { throw .column(name: names[position], problem: "not an integer") }
            return number
        case .unsigned, .double, .bytes:
            throw .column(name: names[position], problem: "not a 64-bit signed integer")
        }
    }

    public func int(_ name: String) throws(MariaDBError) -> Int { Int(try int64(name)) }

    public func optionalInt(_ name: String) throws(MariaDBError) -> Int? { try optionalInt64(name).map(Int.init) }

    public func uint64(_ name: String) throws(MariaDBError) -> UInt64 {
        if case .unsigned(let number) = try value(name) { return number }
        guard let number = UInt64(exactly: try int64(name)) else { throw .column(name: name, problem: "negative") }
        return number
    }

    public func uint32(_ name: String) throws(MariaDBError) -> UInt32 {
        guard let number = UInt32(exactly: try int64(name)) else {
            throw .column(name: name, problem: "not in 0…2³²-1")
        }
        return number
    }

    public func double(_ name: String) throws(MariaDBError) -> Double { try some(name, optionalDouble(name)) }

    public func optionalDouble(_ name: String) throws(MariaDBError) -> Double? {
        switch try value(name) {
        case .null: return nil
        case .double(let number): return number
        case .int(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .string(let text):
            guard let number = Double(text) else { throw .column(name: name, problem: "not a number") }
            return number
        case .bytes: throw .column(name: name, problem: "not a number")
        }
    }

    public func string(_ name: String) throws(MariaDBError) -> String { try string(at: position(name)) }

    public func string(at position: Int) throws(MariaDBError) -> String {
        guard let text = try optionalString(at: position) else { throw null(position) }
        return text
    }

    /// Text columns, and times and decimals as the server writes them (`2026-01-02 03:04:05.678`).
    public func optionalString(_ name: String) throws(MariaDBError) -> String? {
        try optionalString(at: position(name))
    }

    public func optionalString(at position: Int) throws(MariaDBError) -> String? {
        switch values[position] {
        case .null: nil
        case .string(let text): text
        case .int, .unsigned, .double, .bytes: throw .column(name: names[position], problem: "not text")
        }
    }

    public func bytes(_ name: String) throws(MariaDBError) -> [UInt8] { try some(name, optionalBytes(name)) }

    /// Binary columns; text as UTF-8.
    public func optionalBytes(_ name: String) throws(MariaDBError) -> [UInt8]? {
        switch try value(name) {
        case .null: nil
        case .bytes(let bytes): bytes
        case .string(let text): Array(text.utf8)
        case .int, .unsigned, .double: throw .column(name: name, problem: "not bytes")
        }
    }

    public func bool(_ name: String) throws(MariaDBError) -> Bool { try int64(name) != 0 }

    public func optionalBool(_ name: String) throws(MariaDBError) -> Bool? { try optionalInt64(name).map { $0 != 0 } }

    private func null(_ position: Int) -> MariaDBError { .column(name: names[position], problem: "NULL") }

    private func some<T>(_ name: String, _ value: T?) throws(MariaDBError) -> T {
        guard let value else { throw .column(name: name, problem: "NULL") }
        return value
    }
}
