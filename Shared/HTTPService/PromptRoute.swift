public import NIOCore

/// A route that is answered at once, on the connection's own thread, before anything else reads the request.
///
/// For a question that comes thousands of times a second and has its answer in memory. Whatever the route cannot answer
/// at once it leaves to the router, where the same path must have a handler that can: the answers must not differ but in
/// their time. Only plain requests come here (`PromptParser`): a `POST` with a `Content-Length` of at most 16 kB, not the
/// last of its connection, with nothing before it on the same connection still unanswered.
public struct PromptRoute: Sendable {
    let path: StaticString
    let headers: [StaticString]
    let answer: @Sendable (PromptRequest) -> PromptAnswer

    /// - Parameters:
    ///   - path: As it stands in the request line, without a query.
    ///   - headers: The header fields that it reads, in small letters; a request with one of them twice is the router's.
    ///   - answer: It must neither wait nor take long.
    public init(
        _ path: StaticString, headers: [StaticString] = [], answer: @escaping @Sendable (PromptRequest) -> PromptAnswer
    ) {
        self.path = path
        self.headers = headers
        self.answer = answer
    }
}

/// What a `PromptRoute` says.
public enum PromptAnswer: Sendable {
    /// The JSON of a 200.
    case json(ByteBuffer)
    /// That JSON in a moment, or nil when the router is to answer after all; runs on the connection's event loop. It waits
    /// for nothing outside the process.
    case soon(@Sendable () async -> ByteBuffer?)
    /// The router is to answer.
    case leave
}
