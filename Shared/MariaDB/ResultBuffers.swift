import CMariaDB

/// One column of a result, as the server describes it.
struct ResultField {
    enum Form { case integer, unsigned, double, text, binary }

    let name: String
    let form: Form

    init(_ field: MYSQL_FIELD) {
        name = String(cString: field.name)
        /// MySQL's number of the character set "binary".
        let isBinary = field.charsetnr == 63
        form =
            switch field.type {
            case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_INT24, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG,
                MYSQL_TYPE_YEAR:
                field.flags & UInt32(UNSIGNED_FLAG) != 0 ? .unsigned : .integer
            case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: .double
            case MYSQL_TYPE_BIT, MYSQL_TYPE_GEOMETRY: .binary
            case MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_BLOB, MYSQL_TYPE_MEDIUM_BLOB, MYSQL_TYPE_LONG_BLOB,
                MYSQL_TYPE_STRING, MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR:
                isBinary ? .binary : .text
            default: .text
            }
    }
}

/// Where libmariadb puts the current row: 256 bytes per text or binary column, 8 per number; allocated once per
/// statement. Longer values are asked for again.
final class ResultBuffers {
    private static let inlineLength = 256

    let count: Int
    let binds: UnsafeMutablePointer<MYSQL_BIND>
    private let forms: [ResultField.Form]
    private let memory: UnsafeMutableRawPointer
    private let lengths: UnsafeMutablePointer<UInt>
    private let nulls: UnsafeMutablePointer<my_bool>
    private let truncations: UnsafeMutablePointer<my_bool>

    init(_ fields: [ResultField]) {
        count = fields.count
        forms = fields.map(\.form)
        memory = .allocate(byteCount: count * Self.inlineLength, alignment: 8)
        binds = .allocate(capacity: count)
        lengths = .allocate(capacity: count)
        nulls = .allocate(capacity: count)
        truncations = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
        nulls.initialize(repeating: 0, count: count)
        truncations.initialize(repeating: 0, count: count)
        for index in 0..<count { (binds + index).initialize(to: bind(at: index)) }
    }

    deinit {
        memory.deallocate()
        binds.deallocate()
        lengths.deallocate()
        nulls.deallocate()
        truncations.deallocate()
    }

    /// The value of a column of the current row; `refetch` fills a larger buffer where it was cut.
    func value(at index: Int, refetch: (Int, UnsafeMutablePointer<MYSQL_BIND>) throws -> Void) throws -> SQLValue {
        guard nulls[index] == 0 else { return .null }
        let place = place(at: index)
        switch forms[index] {
        case .integer: return .int(place.load(as: Int64.self))
        case .unsigned: return place.load(as: UInt64.self).sqlValue
        case .double: return .double(place.load(as: Double.self))
        case .text, .binary:
            let length = Int(lengths[index])
            if length <= Self.inlineLength {
                return value(at: index, UnsafeRawBufferPointer(start: place, count: length))
            }
            let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
            defer { whole.deallocate() }
            var bind = bind(at: index)
            bind.buffer = whole.baseAddress
            bind.buffer_length = UInt(length)
            try refetch(index, &bind)
            return value(at: index, UnsafeRawBufferPointer(whole))
        }
    }

    private func value(at index: Int, _ bytes: UnsafeRawBufferPointer) -> SQLValue {
        forms[index] == .binary ? .bytes(Array(bytes)) : .string(String(decoding: bytes, as: UTF8.self))
    }

    private func place(at index: Int) -> UnsafeMutableRawPointer { memory + index * Self.inlineLength }

    private func bind(at index: Int) -> MYSQL_BIND {
        var bind = MYSQL_BIND()
        bind.buffer = place(at: index)
        bind.length = lengths + index
        bind.is_null = nulls + index
        bind.error = truncations + index
        switch forms[index] {
        case .integer: bind.buffer_type = MYSQL_TYPE_LONGLONG
        case .unsigned:
            bind.buffer_type = MYSQL_TYPE_LONGLONG
            bind.is_unsigned = 1
        case .double: bind.buffer_type = MYSQL_TYPE_DOUBLE
        case .text, .binary:
            bind.buffer_type = forms[index] == .text ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB
            bind.buffer_length = UInt(Self.inlineLength)
        }
        return bind
    }
}
