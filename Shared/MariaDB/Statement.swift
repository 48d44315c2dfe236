import CMariaDB

/// What libmariadb says of a statement that failed.
struct StatementFailure: Error {
    let code: UInt32
    let sqlState: String
    let message: String
}

/// A prepared statement and the memory its results are fetched into; used by its connection only.
final class Statement {
    private let handle: UnsafeMutablePointer<MYSQL_STMT>
    private let parameterCount: Int
    private let columns: Columns
    private let buffers: ResultBuffers

    init(_ connection: UnsafeMutablePointer<MYSQL>, _ text: String) throws {
        guard let handle = mysql_stmt_init(connection) else {
            throw StatementFailure(code: UInt32(CR_OUT_OF_MEMORY), sqlState: "HY001", message: "out of memory")
        }
        guard mysql_stmt_prepare(handle, text, UInt(text.utf8.count)) == 0 else {
            defer { mysql_stmt_close(handle) }
            throw Self.failure(handle)
        }
        self.handle = handle
        parameterCount = Int(mysql_stmt_param_count(handle))
        let fields = Self.fields(handle)
        columns = Columns(fields.map(\.name))
        buffers = ResultBuffers(fields)
    }

    deinit { mysql_stmt_close(handle) }

    func run(_ parameters: [SQLValue]) throws -> (rows: [Row], outcome: Outcome) {
        guard parameters.count == parameterCount else {
            throw MariaDBError.parameterCount(expected: parameterCount, given: parameters.count)
        }
        try ParameterBinding.withBinds(of: parameters) { binds in
            if parameterCount > 0, mysql_stmt_bind_param(handle, binds) != 0 { throw Self.failure(handle) }
            guard mysql_stmt_execute(handle) == 0 else { throw Self.failure(handle) }
        }
        let rows = columns.names.isEmpty ? [] : try fetch()
        let affected = mysql_stmt_affected_rows(handle)
        return (
            rows,
            Outcome(
                affectedRows: Int(clamping: affected),
                lastInsertID: Int64(truncatingIfNeeded: mysql_stmt_insert_id(handle)))
        )
    }

    private func fetch() throws -> [Row] {
        defer { mysql_stmt_free_result(handle) }
        guard mysql_stmt_bind_result(handle, buffers.binds) == 0, mysql_stmt_store_result(handle) == 0 else {
            throw Self.failure(handle)
        }
        var rows: [Row] = []
        rows.reserveCapacity(Int(mysql_stmt_num_rows(handle)))
        while true {
            switch mysql_stmt_fetch(handle) {
            // Values longer than their buffer are fetched again, whole.
            case 0, MYSQL_DATA_TRUNCATED: rows.append(Row(columns: columns, values: try currentRow()))
            case MYSQL_NO_DATA: return rows
            default: throw Self.failure(handle)
            }
        }
    }

    private func currentRow() throws -> [SQLValue] {
        var values: [SQLValue] = []
        values.reserveCapacity(buffers.count)
        for index in 0..<buffers.count {
            let value = try buffers.value(at: index) { column, bind in
                guard mysql_stmt_fetch_column(self.handle, bind, UInt32(column), 0) == 0 else {
                    throw Self.failure(self.handle)
                }
            }
            values.append(value)
        }
        return values
    }

    private static func fields(_ handle: UnsafeMutablePointer<MYSQL_STMT>) -> [ResultField] {
        guard let metadata = mysql_stmt_result_metadata(handle) else { return [] }
        defer { mysql_free_result(metadata) }
        return (0..<mysql_num_fields(metadata)).map { ResultField(mysql_fetch_field_direct(metadata, $0).pointee) }
    }

    private static func failure(_ handle: UnsafeMutablePointer<MYSQL_STMT>) -> StatementFailure {
        StatementFailure(
            code: mysql_stmt_errno(handle), sqlState: String(cString: mysql_stmt_sqlstate(handle)),
            message: String(cString: mysql_stmt_error(handle)))
    }
}
