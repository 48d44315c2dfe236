/// `multipart/form-data` (RFC 7578) as it comes, however it is cut: bytes in, events out, and never more kept than a
/// boundary or the headers of one part.
struct MultipartParser {
    enum Event: Equatable {
        /// A part begins; names are lower case.
        case part(headers: [String: [UInt8]])
        case bytes([UInt8])
        case partEnd
        /// The last boundary; what follows is ignored (RFC 2046 §5.1.1).
        case end
    }

    enum Malformed: Error, Equatable { case headers, boundary }

    private enum State { case preamble, afterBoundary, headers, bodyStart, body, end }

    private static let maximumHeaders = 16 << 10

    /// CRLF, two hyphens, the boundary.
    private let delimiter: [UInt8]
    /// What has come and was not given out yet.
    private var buffer: [UInt8]
    private var state = State.preamble

    /// - Parameter boundary: 1 to 70 bytes (RFC 2046 §5.1.1).
    init(boundary: [UInt8]) {
        delimiter = [0x0d, 0x0a, 0x2d, 0x2d] + boundary
        // The first boundary needs no line end before it.
        buffer = [0x0d, 0x0a]
    }

    /// Whether the last boundary has come.
    var isComplete: Bool { state == .end }

    /// - Throws: `Malformed`; the parser is then of no further use.
    mutating func feed(_ bytes: some Collection<UInt8>) throws(Malformed) -> [Event] {
        guard state != .end else { return [] }
        buffer.append(contentsOf: bytes)
        var events: [Event] = []
        while let consumed = try step(&events) {
            buffer.removeFirst(consumed)
            if state == .end { buffer = [] }
        }
        return events
    }

    /// - Returns: How many bytes are done with; nil when more are needed.
    private mutating func step(_ events: inout [Event]) throws(Malformed) -> Int? {
        switch state {
        case .preamble: return skipPreamble()
        case .afterBoundary: return try afterBoundary(&events)
        case .headers: return try headers(&events)
        case .bodyStart: return bodyStart(&events)
        case .body: return body(&events)
        case .end: return nil
        }
    }

    private mutating func skipPreamble() -> Int? {
        let (end, isFound) = scan()
        if isFound { state = .afterBoundary }
        let consumed = end + (isFound ? delimiter.count : 0)
        return consumed > 0 ? consumed : nil
    }

    /// White space and a line end, or the two hyphens that end all.
    private mutating func afterBoundary(_ events: inout [Event]) throws(Malformed) -> Int? {
        if buffer.starts(with: [0x2d, 0x2d]) {
            state = .end
            events.append(.end)
            return buffer.count
        }
        guard let end = buffer.firstIndex(of: 0x0a) else {
            guard buffer.count < 200 else { throw .boundary }
            return nil
        }
        guard end >= 1, buffer[end - 1] == 0x0d,
            buffer[..<(end - 1)].allSatisfy({ $0 == 0x20 || $0 == 0x09 })
        else { throw .boundary }
        state = .headers
        return end + 1
    }

    private mutating func headers(_ events: inout [Event]) throws(Malformed) -> Int? {
        var fields: [String: [UInt8]] = [:]
        var start = 0
        while let end = buffer[start...].firstIndex(of: 0x0a) {
            guard end > start, buffer[end - 1] == 0x0d, end < Self.maximumHeaders else { throw .headers }
            let line = buffer[start..<end - 1]
            start = end + 1
            if line.isEmpty {
                events.append(.part(headers: fields))
                state = .bodyStart
                // This line end may be the one before the boundary, when the body is empty.
                return start - 2
            }
            guard let colon = line.firstIndex(of: 0x3a), colon > line.startIndex, fields.count < 20 else {
                throw .headers
            }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            fields[name] = Array(line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 })
        }
        guard buffer.count < Self.maximumHeaders else { throw .headers }
        return nil
    }

    private mutating func bodyStart(_ events: inout [Event]) -> Int? {
        let start = buffer.prefix(delimiter.count)
        if delimiter.starts(with: start) {
            guard start.count == delimiter.count else { return nil }
            events.append(.partEnd)
            state = .afterBoundary
            return delimiter.count
        }
        state = .body
        return 2
    }

    private mutating func body(_ events: inout [Event]) -> Int? {
        let (end, isFound) = scan()
        if end > 0 { events.append(.bytes(Array(buffer[..<end]))) }
        guard isFound else { return end > 0 ? end : nil }
        events.append(.partEnd)
        state = .afterBoundary
        return end + delimiter.count
    }

    /// Where the delimiter begins; where there is none, up to where it cannot begin any more.
    private func scan() -> (end: Int, isFound: Bool) {
        var index = 0
        while let candidate = buffer[index...].firstIndex(of: 0x0d) {
            let rest = buffer[candidate...].prefix(delimiter.count)
            if delimiter.starts(with: rest) { return (candidate, rest.count == delimiter.count) }
            index = candidate + 1
        }
        return (buffer.count, false)
    }
}
