public import NIOCore
public import NIOHTTP1

/// A route that is answered at once, on the connection's own thread, before the router is asked.
///
/// For a question that comes thousands of times a second and has its answer in memory. Whatever the route cannot answer
/// at once it leaves to the router, where the same path must have a handler that can: the answers must not differ but in
/// their time. Only plain requests come here: a `POST` with a `Content-Length` of at most 16 kB, not the last of its
/// connection, with nothing before it on the same connection still unanswered.
public struct PromptRoute: Sendable {
    let path: String
    let answer: @Sendable (PromptRequest) -> ByteBuffer?

    /// - Parameters:
    ///   - path: As it stands in the request line, without a query.
    ///   - answer: The JSON of a 200, or nil when the router is to answer. It must neither wait nor take long.
    public init(_ path: String, answer: @escaping @Sendable (PromptRequest) -> ByteBuffer?) {
        self.path = path
        self.answer = answer
    }
}

/// A request as a `PromptRoute` sees it.
public struct PromptRequest: Sendable {
    public let headers: HTTPHeaders
    public let body: ByteBuffer

    /// The value of a field of a form; nil when there is none, when it is there twice, and when it would have to be
    /// decoded first.
    public func formField(_ name: StaticString) -> String? {
        guard headers.first(name: "content-type")?.utf8.starts(with: "application/x-www-form-urlencoded".utf8) == true
        else { return nil }
        return body.withUnsafeReadableBytes { bytes in
            var found: Slice<UnsafeRawBufferPointer>?
            var rest = bytes[...]
            while !rest.isEmpty {
                let end = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.endIndex
                let pair = rest[..<end]
                rest = rest[end...].dropFirst()
                guard pair.count > name.utf8CodeUnitCount, pair[pair.startIndex + name.utf8CodeUnitCount] == 0x3d,
                    pair.starts(with: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
                else { continue }
                guard found == nil else { return nil }
                found = pair.dropFirst(name.utf8CodeUnitCount + 1)
            }
            guard let found, !found.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) else {
                return nil
            }
            return String(validating: found, as: UTF8.self)
        }
    }
}
