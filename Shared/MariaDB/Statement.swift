import CMariaDB

/// A prepared statement and the buffers its results are fetched into, which live as long as it does.
final class Statement {
    /// Values up to this many bytes are fetched with their row, longer ones by themselves.
    private static let inlineCapacity = 256

    /// Where one column of the current row lands.
    private struct Cell {
        var number: Int64 = 0
        var length: UInt = 0
        var isNull: my_bool = 0
        var text: UnsafeMutableRawPointer
    }

    private let handle: UnsafeMutablePointer<MYSQL_STMT>
    private let parameterCount: Int
    private let columns: Row.Columns
    /// Whether a text column holds bytes (the character set `binary`).
    private let isBinary: [Bool]
    private let binds: UnsafeMutableBufferPointer<MYSQL_BIND>
    private let cells: UnsafeMutableBufferPointer<Cell>

    init(_ connection: UnsafeMutablePointer<MYSQL>, _ text: String) throws(MariaDBError) {
        guard let handle = mysql_stmt_init(connection) else {
            throw MariaDBError(connection, elapsed: .zero, timeout: .seconds(1))
        }
        guard mysql_stmt_prepare(handle, text, UInt(text.utf8.count)) == 0 else {
            defer { mysql_stmt_close(handle) }
            throw MariaDBError(statement: handle)
        }
        self.handle = handle
        parameterCount = Int(mysql_stmt_param_count(handle))
        let fields = Self.fields(of: handle)
        columns = Row.Columns(fields.map(\.name))
        isBinary = fields.map(\.isBinary)
        binds = .allocate(capacity: fields.count)
        cells = .allocate(capacity: fields.count)
        binds.initialize(repeating: MYSQL_BIND())
        for (index, field) in fields.enumerated() {
            cells.initializeElement(
                at: index, to: Cell(text: .allocate(byteCount: Self.inlineCapacity, alignment: 8)))
            bindResult(index, type: field.type)
        }
    }

    deinit {
        mysql_stmt_close(handle)
        for cell in cells { cell.text.deallocate() }
        cells.deallocate()
        binds.deallocate()
    }

    func run(_ parameters: [SQLValue]) throws(MariaDBError) -> (rows: [Row], outcome: Outcome) {
        guard parameters.count == parameterCount else {
            throw .column("?", "\(parameterCount) parameters wanted, \(parameters.count) given")
        }
        let bound = BoundParameters(parameters)
        if parameterCount > 0, mysql_stmt_bind_param(handle, bound.binds.baseAddress) != 0 {
            throw MariaDBError(statement: handle)
        }
        guard mysql_stmt_execute(handle) == 0 else { throw MariaDBError(statement: handle) }
        // The library copies what it sends; until here the buffers must live.
        withExtendedLifetime(bound) {}
        guard !columns.names.isEmpty else {
            return (
                [],
                Outcome(
                    affectedRows: Int(truncatingIfNeeded: mysql_stmt_affected_rows(handle)),
                    lastInsertID: Int64(truncatingIfNeeded: mysql_stmt_insert_id(handle)))
            )
        }
        let rows = try fetch()
        return (rows, Outcome(affectedRows: rows.count, lastInsertID: 0))
    }

    private func fetch() throws(MariaDBError) -> [Row] {
        defer { mysql_stmt_free_result(handle) }
        guard mysql_stmt_bind_result(handle, binds.baseAddress) == 0, mysql_stmt_store_result(handle) == 0 else {
            throw MariaDBError(statement: handle)
        }
        var rows: [Row] = []
        rows.reserveCapacity(Int(mysql_stmt_num_rows(handle)))
        while true {
            switch mysql_stmt_fetch(handle) {
            case 0, MYSQL_DATA_TRUNCATED:
                var values: [SQLValue] = []
                values.reserveCapacity(cells.count)
                for index in cells.indices { values.append(try value(index)) }
                rows.append(Row(columns: columns, values: values))
            case MYSQL_NO_DATA: return rows
            default: throw MariaDBError(statement: handle)
            }
        }
    }

    private func value(_ index: Int) throws(MariaDBError) -> SQLValue {
        let cell = cells[index]
        if cell.isNull != 0 { return .null }
        switch binds[index].buffer_type {
        case MYSQL_TYPE_LONGLONG: return .int(cell.number)
        case MYSQL_TYPE_DOUBLE: return .double(Double(bitPattern: UInt64(bitPattern: cell.number)))
        default: break
        }
        let length = Int(cell.length)
        if length <= Self.inlineCapacity {
            return text(UnsafeRawBufferPointer(start: cell.text, count: length), index)
        }
        let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
        defer { whole.deallocate() }
        var bind = MYSQL_BIND()
        bind.buffer_type = MYSQL_TYPE_STRING
        bind.buffer = whole.baseAddress
        bind.buffer_length = UInt(length)
        guard mysql_stmt_fetch_column(handle, &bind, UInt32(index), 0) == 0 else { throw MariaDBError(statement: handle) }
        return text(UnsafeRawBufferPointer(whole), index)
    }

    private func text(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> SQLValue {
        isBinary[index] ? .bytes(Array(bytes)) : .string(String(decoding: bytes, as: UTF8.self))
    }

    private func bindResult(_ index: Int, type: enum_field_types) {
        guard let cell = cells.baseAddress.map({ $0 + index }) else { return }
        func field<Value>(_ path: KeyPath<Cell, Value>) -> UnsafeMutableRawPointer {
            UnsafeMutableRawPointer(cell) + (MemoryLayout<Cell>.offset(of: path) ?? 0)
        }
        switch type {
        case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_LONG, MYSQL_TYPE_INT24, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
            binds[index].buffer_type = MYSQL_TYPE_LONGLONG
            binds[index].buffer = field(\.number)
        case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE:
            binds[index].buffer_type = MYSQL_TYPE_DOUBLE
            binds[index].buffer = field(\.number)
        default:
            binds[index].buffer_type = MYSQL_TYPE_STRING
            binds[index].buffer = cell.pointee.text
            binds[index].buffer_length = UInt(Self.inlineCapacity)
        }
        binds[index].length = field(\.length).assumingMemoryBound(to: UInt.self)
        binds[index].is_null = field(\.isNull).assumingMemoryBound(to: my_bool.self)
    }

    private static func fields(
        of handle: UnsafeMutablePointer<MYSQL_STMT>
    ) -> [(name: String, type: enum_field_types, isBinary: Bool)] {
        guard let metadata = mysql_stmt_result_metadata(handle) else { return [] }
        defer { mysql_free_result(metadata) }
        return (0..<UInt32(mysql_stmt_field_count(handle))).compactMap { index in
            guard let field = mysql_fetch_field_direct(metadata, index)?.pointee else { return nil }
            // 63 is the character set `binary`.
            return (String(cString: field.name), field.type, field.charsetnr == 63)
        }
    }
}

/// The parameters of one execution, copied into memory that the library may read.
private final class BoundParameters {
    let binds: UnsafeMutableBufferPointer<MYSQL_BIND>
    private let lengths: UnsafeMutableBufferPointer<UInt>
    private let arena: UnsafeMutableRawBufferPointer

    init(_ values: [SQLValue]) {
        binds = .allocate(capacity: values.count)
        lengths = .allocate(capacity: values.count)
        binds.initialize(repeating: MYSQL_BIND())
        lengths.initialize(repeating: 0)
        arena = .allocate(byteCount: values.reduce(0) { $0 + Self.size($1) }, alignment: 8)
        var offset = 0
        for (index, value) in values.enumerated() {
            let slot = UnsafeMutableRawBufferPointer(rebasing: arena[offset..<offset + Self.size(value)])
            lengths[index] = UInt(Self.fill(slot, with: value))
            binds[index].buffer_type = Self.type(value)
            binds[index].buffer = slot.baseAddress
            binds[index].buffer_length = lengths[index]
            binds[index].length = lengths.baseAddress.map { $0 + index }
            offset += Self.size(value)
        }
    }

    deinit {
        binds.deallocate()
        lengths.deallocate()
        arena.deallocate()
    }

    /// Rounded up to whole words, never empty.
    private static func size(_ value: SQLValue) -> Int {
        switch value {
        case .string(let text): (text.utf8.count / 8 + 1) * 8
        case .bytes(let bytes): (bytes.count / 8 + 1) * 8
        default: 8
        }
    }

    private static func type(_ value: SQLValue) -> enum_field_types {
        switch value {
        case .null: MYSQL_TYPE_NULL
        case .int: MYSQL_TYPE_LONGLONG
        case .double: MYSQL_TYPE_DOUBLE
        case .string: MYSQL_TYPE_STRING
        case .bytes: MYSQL_TYPE_BLOB
        }
    }

    private static func fill(_ slot: UnsafeMutableRawBufferPointer, with value: SQLValue) -> Int {
        switch value {
        case .null: return 0
        case .int(let int):
            slot.storeBytes(of: int, as: Int64.self)
            return 8
        case .double(let double):
            slot.storeBytes(of: double, as: Double.self)
            return 8
        case .string(let text):
            slot.copyBytes(from: text.utf8)
            return text.utf8.count
        case .bytes(let bytes):
            slot.copyBytes(from: bytes)
            return bytes.count
        }
    }
}

extension MariaDBError {
    /// `Connection.run` adds what the time tells.
    fileprivate init(statement: UnsafeMutablePointer<MYSQL_STMT>) {
        self.init(
            kind: .server, code: mysql_stmt_errno(statement), sqlState: String(cString: mysql_stmt_sqlstate(statement)),
            message: String(cString: mysql_stmt_error(statement)))
    }
}
