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

    /// The value of a field of a form, as bytes in the body; nil when there is none, when it is there twice, or when it
    /// would have to be decoded first.
    public func formField(_ name: StaticString) -> Substring? {
        guard headers.first(name: "content-type")?.hasPrefix("application/x-www-form-urlencoded") == true else {
            return nil
        }
        var found: Substring?
        for pair in String(buffer: body).split(separator: "&", maxSplits: 100) where pair.hasPrefix("\(name)=") {
            guard found == nil, !pair.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") })
            else { return nil }
            found = pair.dropFirst(name.utf8CodeUnitCount + 1)
        }
        return found
    }
}
