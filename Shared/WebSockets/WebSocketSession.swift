import HTTPTypes
public import Hummingbird
import HummingbirdCore
public import NIOCore

/// The client's text messages, in order; it ends when the client closes or is gone.
public struct WebSocketInbound: AsyncSequence, Sendable {
    let body: RequestBody

    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: RequestBody.AsyncIterator

        public mutating func next() async throws -> String? {
            do {
                return try await base.next().map { String(buffer: $0) }
            } catch is ChannelError {
                return nil
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: body.makeAsyncIterator()) }
}

/// The way to the client. A write waits until the connection takes it, so a slow reader slows its writer.
public struct WebSocketOutbound {
    var writer: any ResponseBodyWriter
    /// nil where there is no connection.
    var closed: EventLoopFuture<Void>?
    fileprivate(set) var close: WebSocketClose?

    /// Sends a text message.
    ///
    /// - Throws: When the connection is gone or closing.
    public mutating func send(_ text: String) async throws { try await writer.write(ByteBuffer(string: text)) }

    /// Sends a text message given as its UTF-8 bytes, which many sessions may share.
    public mutating func send(_ text: ByteBuffer) async throws { try await writer.write(text) }

    /// Has `body` called once the connection is closed, at once if it is.
    public func whenGone(_ body: @escaping @Sendable () -> Void) { closed?.whenComplete { _ in body() } }

    /// What the client is told when the session ends; without it 1000 (normal closure).
    public mutating func closeWhenDone(_ close: WebSocketClose) { self.close = close }
}

/// A close code and reason (RFC 6455 §7.4).
public struct WebSocketClose: Sendable, Equatable {
    public let code: UInt16
    /// At most 123 bytes of UTF-8; longer is cut.
    public let reason: String

    /// - Parameter code: 1000 to 4999; 4000 and up are the application's own.
    public init(code: UInt16, reason: String = "") {
        self.code = code
        self.reason = reason
    }

    public static let normal = WebSocketClose(code: 1000)
    public static let goingAway = WebSocketClose(code: 1001)
}

extension Request {
    /// Whether this is a well-formed opening handshake (RFC 6455 §4.2.1).
    public var isWebSocketUpgrade: Bool { OpeningHandshake(head) != nil }

    /// The subprotocols offered, in order.
    public var webSocketProtocols: [String] {
        headers[values: .secWebSocketProtocol]
            .flatMap { $0.split(separator: ",") }
            .map { String($0.drop { $0 == " " }.prefix { $0 != " " }) }
    }
}

extension Response {
    /// 101: the connection becomes a WebSocket for as long as `session` runs.
    ///
    /// Ping, pong and close are answered below. When `session` returns or throws, the socket is closed; its task is
    /// cancelled when the server shuts down and the client does not close in time.
    ///
    /// - Parameter subprotocol: One of `Request.webSocketProtocols`, which the client is told was chosen.
    /// - Returns: 426 when the request is no opening handshake.
    public static func webSocket(
        _ request: Request, subprotocol: String? = nil,
        session: @escaping @Sendable (WebSocketInbound, inout WebSocketOutbound) async throws -> Void
    ) -> Response {
        guard request.isWebSocketUpgrade else {
            return Response(
                status: .upgradeRequired, headers: [.upgrade: "websocket", .secWebSocketVersion: "13"])
        }
        var headers = HTTPFields()
        headers[.secWebSocketProtocol] = subprotocol
        let inbound = WebSocketInbound(body: request.body)
        let body = ResponseBody { writer in
            guard let handover = SessionHandover.current else {
                return try await run(session, inbound, WebSocketOutbound(writer: writer))
            }
            // Unsafe for the compiler alone, since Hummingbird's writer is not Sendable: the task that made it leaves it here
            // and ends, and the connection's task, which has awaited that end, is the only one to use it from then on.
            nonisolated(unsafe) let outbound = WebSocketOutbound(writer: writer, closed: handover.closed)
            handover.leave { try await run(session, inbound, outbound) }
        }
        return Response(status: .switchingProtocols, headers: headers, body: body)
    }

    /// As the other, for a client that is only told: what it says is passed over, and nobody waits for it.
    public static func webSocket(
        _ request: Request, subprotocol: String? = nil,
        telling session: @escaping @Sendable (inout WebSocketOutbound) async throws -> Void
    ) -> Response {
        var response = webSocket(request, subprotocol: subprotocol) { _, outbound in try await session(&outbound) }
        if response.status == .switchingProtocols { IgnoredMessages.mark(&response.headers) }
        return response
    }

    private static func run(
        _ session: (WebSocketInbound, inout WebSocketOutbound) async throws -> Void, _ inbound: WebSocketInbound,
        _ outbound: WebSocketOutbound
    ) async throws {
        var outbound = outbound
        do {
            try await session(inbound, &outbound)
        } catch is ChannelError {
            // The client is gone: the usual end.
        } catch is CancellationError {
            // The server is: likewise.
        }
        try await end(outbound)
    }

    /// Apart, so that what it needs is not kept while the session runs.
    @inline(never) private static func end(_ outbound: WebSocketOutbound) async throws {
        try await outbound.writer.finish(outbound.close.map(CloseTrailer.fields))
    }
}

/// Tells the channel that nobody hears the client's messages, by a field of the 101 that never reaches the wire.
enum IgnoredMessages {
    // A valid field name, spelled out here.
    private static let field = HTTPField.Name("websocket-messages-ignored")!

    static func mark(_ fields: inout HTTPFields) { fields[field] = "" }

    /// - Returns: Whether they were marked.
    static func unmark(_ fields: inout HTTPFields) -> Bool {
        guard fields.contains(field) else { return false }
        fields[field] = nil
        return true
    }
}

/// Carries the close code from the session to the channel as the response's trailer: it never reaches the wire as such.
enum CloseTrailer {
    // Both are valid field names, spelled out here.
    private static let code = HTTPField.Name("websocket-close-code")!
    private static let reason = HTTPField.Name("websocket-close-reason")!

    static func fields(_ close: WebSocketClose) -> HTTPFields {
        var fields = HTTPFields()
        fields[code] = String(close.code)
        fields[reason] = close.reason
        return fields
    }

    static func close(_ fields: HTTPFields?) -> WebSocketClose {
        guard let fields, let code = fields[code].flatMap({ UInt16($0) }) else { return .normal }
        return WebSocketClose(code: code, reason: fields[reason] ?? "")
    }
}
