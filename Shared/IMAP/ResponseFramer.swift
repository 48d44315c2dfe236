#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Cuts the byte stream into responses: a line, and as many literals and further lines as it announces.
///
/// Bytes may come in any pieces; each is looked at once.
struct ResponseFramer {
    private let limits: IMAPLimits
    private var buffer: [UInt8] = []
    /// The first byte of the response being cut.
    private var start = 0
    /// Where in it the line begins that is being searched: behind the last literal.
    private var lineStart = 0
    /// Bytes before this have been looked at.
    private var scanned = 0
    /// Bytes of the current literal that have not been passed yet.
    private var literalRest = 0
    private var literalTotal = 0

    init(limits: IMAPLimits) {
        self.limits = limits
    }

    /// Whether bytes are held that are no whole response yet.
    var hasPartialResponse: Bool { start < buffer.count }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start == buffer.count {
            // An idle connection should hold next to nothing; a busy one its buffer.
            buffer.removeAll(keepingCapacity: buffer.capacity <= 128 * 1024)
            rebase(by: start)
        } else if start > 64 * 1024, start > buffer.count / 2 {
            buffer.removeSubrange(0..<start)
            rebase(by: start)
        }
        buffer.append(contentsOf: bytes)
    }

    /// Gives back the memory of what was read, unless there is the beginning of more.
    mutating func shrink() {
        guard !hasPartialResponse else { return }
        buffer = []
        rebase(by: start)
    }

    private mutating func rebase(by count: Int) {
        start -= count
        lineStart -= count
        scanned -= count
    }

    /// Hands the next whole response, its last CRLF included, to `body`; nil when there is none yet.
    mutating func next<Response>(
        _ body: (UnsafeRawBufferPointer) throws(IMAPError) -> Response
    ) throws(IMAPError) -> Response? {
        guard let end = try findEnd() else { return nil }
        let range = start..<end
        start = end
        lineStart = end
        scanned = end
        literalTotal = 0
        let result = buffer.withUnsafeBytes { bytes -> Result<Response, IMAPError> in
            let frame = UnsafeRawBufferPointer(rebasing: bytes[range])
            return Result { () throws(IMAPError) in try body(frame) }
        }
        if start == buffer.count, buffer.capacity > 128 * 1024 {
            buffer = []
            rebase(by: start)
        }
        return try result.get()
    }

    private mutating func findEnd() throws(IMAPError) -> Int? {
        while true {
            if literalRest > 0 {
                let passed = min(literalRest, buffer.count - scanned)
                scanned += passed
                literalRest -= passed
                guard literalRest == 0 else { return nil }
                lineStart = scanned
            }
            guard let lineEnd = indexOfLineFeed() else {
                scanned = buffer.count
                try checkLineLimit(upTo: scanned)
                return nil
            }
            scanned = lineEnd + 1
            try checkLineLimit(upTo: scanned)
            guard let literal = try announcedLiteral(before: lineEnd) else { return scanned }
            literalTotal += literal
            guard literalTotal <= limits.responseBytes else {
                throw .protocolViolation("a response of more than \(limits.responseBytes) bytes")
            }
            literalRest = literal
            lineStart = scanned
        }
    }

    private func indexOfLineFeed() -> Int? {
        buffer.withUnsafeBytes { bytes in
            guard scanned < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + scanned, 0x0A, bytes.count - scanned)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    private func checkLineLimit(upTo end: Int) throws(IMAPError) {
        if end - start - (literalTotal - literalRest) > limits.lineBytes {
            throw .protocolViolation("a line of more than \(limits.lineBytes) bytes")
        }
    }

    /// The size in a `{n}`, `{n+}` or `~{n}` at the end of a line (RFC 9051 §4.3).
    private func announcedLiteral(before lineFeed: Int) throws(IMAPError) -> Int? {
        var index = lineFeed - 1
        if index >= lineStart, buffer[index] == 0x0D { index -= 1 }
        guard index >= lineStart, buffer[index] == UInt8(ascii: "}"), !isText else { return nil }
        index -= 1
        if index >= lineStart, buffer[index] == UInt8(ascii: "+") { index -= 1 }
        var size = 0
        var unit = 1
        let lastDigit = index
        while index >= lineStart, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(buffer[index]) {
            guard lastDigit - index < 18 else { throw .protocolViolation("a literal without end") }
            size += Int(buffer[index] - UInt8(ascii: "0")) * unit
            unit *= 10
            index -= 1
        }
        guard index < lastDigit, index >= lineStart, buffer[index] == UInt8(ascii: "{") else { return nil }
        guard size <= limits.literalBytes else {
            throw .protocolViolation("a literal of \(size) bytes, more than \(limits.literalBytes)")
        }
        return size
    }

    /// Continuations and status responses end in text for people, in which braces mean nothing.
    private var isText: Bool {
        buffer.withUnsafeBytes { bytes in
            let line = bytes[start...]
            guard let first = line.first else { return false }
            if first == UInt8(ascii: "+") { return true }
            guard first == UInt8(ascii: "*") else { return true }
            let word = line.dropFirst(2).prefix { $0 != UInt8(ascii: " ") }
            return ["OK", "NO", "BAD", "BYE", "PREAUTH"].contains { $0.utf8.elementsEqual(word) }
        }
    }
}
