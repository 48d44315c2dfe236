/// A request as a `PromptRoute` sees it: bytes, valid only while the route answers.
public struct PromptRequest {
    let bytes: UnsafeRawBufferPointer
    let names: [StaticString]
    /// Where the value of each of the named header fields lies.
    let values: [Range<Int>?]
    let body: Range<Int>

    /// A value of one of the header fields that the route has named; nil when the request has no such field.
    public func header(_ name: StaticString) -> UnsafeRawBufferPointer? {
        guard let index = names.firstIndex(where: { $0.equals(name) }), let range = values[index] else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    /// The value of a field of a form, as `FormFields` would find it; nil when that is to judge: when there is no such
    /// field, or two, when something would have to be decoded first, and when there are very many fields.
    public func formField(_ name: StaticString) -> String? {
        let body = bytes[body]
        guard isForm, !body.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else { return nil }
        let name = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        var found: Slice<UnsafeRawBufferPointer>?
        var rest = body
        var count = 0
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.endIndex
            let pair = rest[..<end]
            rest = rest[end...].dropFirst()
            count += 1
            guard count <= Self.maximumFields else { return nil }
            guard pair.starts(with: name) else { continue }
            let value = pair.dropFirst(name.count)
            // Without "=" its value is empty, and with anything else it is another field.
            guard value.isEmpty || value.first == UInt8(ascii: "=") else { continue }
            guard found == nil else { return nil }
            found = value.dropFirst()
        }
        return found.flatMap { String(validating: $0, as: UTF8.self) }
    }

    private static let maximumFields = 100

    private var isForm: Bool {
        let form: StaticString = "application/x-www-form-urlencoded"
        guard let type = header("content-type"), type.starts(with: form.bytes) else { return false }
        let next = type.dropFirst(form.utf8CodeUnitCount).first
        return next == nil || next == UInt8(ascii: ";") || next == UInt8(ascii: " ")
    }
}

/// Reads one plain request of HTTP/1.1 (RFC 9112) from the first bytes of a connection's next request.
///
/// It takes only what nobody could read otherwise: lines ended by CRLF, no folding, no byte in the head beyond ASCII, no
/// field twice of those that matter, a body of a known length, and nothing behind it. All else is for the real parser.
struct PromptParser {
    enum Outcome {
        /// The route by index, and its request's body.
        case request(route: Int, body: Range<Int>)
        /// The beginning of what may be one.
        case incomplete
        case other
    }

    /// The longest head and the longest body: bytes.
    static let maximumHead = 8192
    static let maximumBody = 16_384

    /// What every request is read for, before what its route wants.
    private static let common: [StaticString] = [
        "content-length", "content-type", "host", "x-request-id", "connection",
    ]
    /// What makes a request one of another kind.
    private static let foreign: [StaticString] = ["transfer-encoding", "expect", "upgrade", "trailer"]

    /// The request lines, each with its line end.
    private let lines: [[UInt8]]
    let names: [StaticString]
    /// Where the value of each of `names` lies in the request read last.
    private(set) var values: [Range<Int>?]

    init(paths: [StaticString], headers: [StaticString]) {
        lines = paths.map { Array("POST \($0) HTTP/1.1\r\n".utf8) }
        names = Self.common + headers.filter { name in !Self.common.contains { $0.equals(name) } }
        values = Array(repeating: nil, count: names.count)
    }

    /// The value of a header field in the bytes of the request read last.
    func value(of name: StaticString, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let index = names.firstIndex(where: { $0.equals(name) }), let range = values[index] else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let route = lines.firstIndex(where: { bytes.starts(with: $0) }) else {
            let isBeginning = lines.contains { $0.count > bytes.count && $0.starts(with: bytes) }
            return isBeginning ? .incomplete : .other
        }
        for index in values.indices { values[index] = nil }
        var start = lines[route].count
        while true {
            guard let end = Self.lineEnd(bytes, from: start) else {
                return bytes.count < Self.maximumHead ? .incomplete : .other
            }
            guard end > start, end < Self.maximumHead, bytes[end - 1] == UInt8(ascii: "\r") else { return .other }
            if end == start + 1 { return finish(route, bytes, bodyStart: end + 1) }
            guard note(start..<end - 1, bytes) else { return .other }
            start = end + 1
        }
    }

    private func finish(_ route: Int, _ bytes: UnsafeRawBufferPointer, bodyStart: Int) -> Outcome {
        guard let length = value(of: "content-length", in: bytes).flatMap(Self.length),
            value(of: "host", in: bytes) != nil,
            value(of: "connection", in: bytes).map({ $0.equalsIgnoringCase("keep-alive") }) ?? true
        else { return .other }
        let end = bodyStart + length
        if bytes.count < end { return .incomplete }
        return bytes.count == end ? .request(route: route, body: bodyStart..<end) : .other
    }

    /// Notes a field of the head.
    /// - Returns: false when it is not one that may stand here.
    private mutating func note(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var colon = line.lowerBound
        while colon < line.upperBound, Self.isToken(bytes[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":") else { return false }
        let name = UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<colon])
        var (first, last) = (colon + 1, line.upperBound)
        while first < last, bytes[first] == 0x20 { first += 1 }
        while last > first, bytes[last - 1] == 0x20 { last -= 1 }
        for index in first..<last where !(0x20...0x7e).contains(bytes[index]) { return false }
        guard let index = names.firstIndex(where: { name.equalsIgnoringCase($0) }) else {
            return !Self.foreign.contains { name.equalsIgnoringCase($0) }
        }
        guard values[index] == nil else { return false }
        values[index] = first..<last
        return true
    }

    private static func length(_ digits: UnsafeRawBufferPointer) -> Int? {
        guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let length = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return (1...maximumBody).contains(length) ? length : nil
    }

    private static func lineEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n") { return index }
            index += 1
        }
        return nil
    }

    /// RFC 9110 §5.6.2
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        // The rest of the characters that a token may have is in no name of a field that anybody uses.
        default: false
        }
    }
}

extension StaticString {
    fileprivate var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    }

    fileprivate func equals(_ other: StaticString) -> Bool {
        utf8Start == other.utf8Start || bytes.elementsEqual(other.bytes)
    }
}

extension UnsafeRawBufferPointer {
    /// - Parameter word: In small letters.
    func equalsIgnoringCase(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        let letters = word.utf8Start
        for index in 0..<count {
            let byte = self[index]
            guard (byte &- 0x41 < 26 ? byte | 0x20 : byte) == letters[index] else { return false }
        }
        return true
    }
}
