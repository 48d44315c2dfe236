/// One row of a result, read by column name.
public struct Row: Sendable {
    /// The names of a result's columns, shared by its rows.
    final class Columns: Sendable {
        let names: [String]
        let index: [String: Int]

        init(_ names: [String]) {
            self.names = names
            self.index = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        }
    }

    let columns: Columns
    let values: [SQLValue]

    /// - Throws: `MariaDBError` of kind `column` when there is no such column.
    public func value(_ name: String) throws(MariaDBError) -> SQLValue {
        guard let index = columns.index[name] else { throw .column(name, "no such column in the result") }
        return values[index]
    }

    /// nil for NULL.
    /// - Throws: `MariaDBError` of kind `column` for a missing column or one of another type; the same below.
    public func optionalInt64(_ name: String) throws(MariaDBError) -> Int64? {
        switch try value(name) {
        case .null: return nil
        case .int(let int): return int
        // DECIMAL comes as text.
        case .string(let text):
            guard let int = Int64(text) else { throw .column(name, "not an integer") }
            return int
        default: throw .column(name, "not an integer")
        }
    }

    public func int64(_ name: String) throws(MariaDBError) -> Int64 {
        guard let int = try optionalInt64(name) else { throw .column(name, "NULL") }
        return int
    }

    public func int(_ name: String) throws(MariaDBError) -> Int { Int(try int64(name)) }

    public func bool(_ name: String) throws(MariaDBError) -> Bool { try int64(name) != 0 }

    public func double(_ name: String) throws(MariaDBError) -> Double {
        switch try value(name) {
        case .double(let double): return double
        case .int(let int): return Double(int)
        default: throw .column(name, "not a number")
        }
    }

    /// nil for NULL.
    public func optionalString(_ name: String) throws(MariaDBError) -> String? {
        switch try value(name) {
        case .null: return nil
        case .string(let text): return text
        case .bytes(let bytes): return String(decoding: bytes, as: UTF8.self)
        default: throw .column(name, "not a text")
        }
    }

    public func string(_ name: String) throws(MariaDBError) -> String {
        guard let text = try optionalString(name) else { throw .column(name, "NULL") }
        return text
    }

    public func bytes(_ name: String) throws(MariaDBError) -> [UInt8] {
        switch try value(name) {
        case .bytes(let bytes): return bytes
        case .string(let text): return Array(text.utf8)
        default: throw .column(name, "not a binary string")
        }
    }
}

/// What a statement without a result did.
public struct Outcome: Sendable, Equatable {
    /// Rows that matched, whether or not they changed.
    public let affectedRows: Int
    /// The AUTO_INCREMENT value that was made, else 0.
    public let lastInsertID: Int64
}
