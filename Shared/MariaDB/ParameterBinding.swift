import CMariaDB

/// The values of one execution in libmariadb's form: copied into one block of memory that lives for the call.
enum ParameterBinding {
    static func withBinds<T>(
        of values: [SQLValue], _ body: (UnsafeMutablePointer<MYSQL_BIND>?) throws -> T
    ) throws -> T {
        guard !values.isEmpty else { return try body(nil) }
        let size = values.reduce(0) { $0 + paddedSize(of: $1) }
        return try withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { memory in
            try withUnsafeTemporaryAllocation(of: MYSQL_BIND.self, capacity: values.count) { binds in
                var offset = 0
                for (index, value) in values.enumerated() {
                    let place = UnsafeMutableRawBufferPointer(rebasing: memory[offset...])
                    binds.initializeElement(at: index, to: bind(value, copiedTo: place))
                    offset += paddedSize(of: value)
                }
                return try body(binds.baseAddress)
            }
        }
    }

    /// In bytes, a multiple of 8, at least 8.
    private static func paddedSize(of value: SQLValue) -> Int {
        switch value {
        case .string(let text): (text.utf8.count | 7) + 1
        case .bytes(let bytes): (bytes.count | 7) + 1
        case .null, .int, .unsigned, .double: 8
        }
    }

    private static func bind(_ value: SQLValue, copiedTo memory: UnsafeMutableRawBufferPointer) -> MYSQL_BIND {
        var bind = MYSQL_BIND()
        bind.buffer = memory.baseAddress
        switch value {
        case .null: bind.buffer_type = MYSQL_TYPE_NULL
        case .int(let number):
            bind.buffer_type = MYSQL_TYPE_LONGLONG
            memory.storeBytes(of: number, as: Int64.self)
        case .unsigned(let number):
            bind.buffer_type = MYSQL_TYPE_LONGLONG
            bind.is_unsigned = 1
            memory.storeBytes(of: number, as: UInt64.self)
        case .double(let number):
            bind.buffer_type = MYSQL_TYPE_DOUBLE
            memory.storeBytes(of: number, as: Double.self)
        case .string(let text):
            bind.buffer_type = MYSQL_TYPE_STRING
            memory.copyBytes(from: text.utf8)
            bind.buffer_length = UInt(text.utf8.count)
        case .bytes(let bytes):
            bind.buffer_type = MYSQL_TYPE_BLOB
            memory.copyBytes(from: bytes)
            bind.buffer_length = UInt(bytes.count)
        }
        return bind
    }
}
