import HTTPTypes
public import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

extension HTTPServerBuilder {
    /// HTTP/1.1 whose connections can become WebSockets by a route that answers with `Response.webSocket`.
    ///
    /// Routing, authentication and limits thus see an upgrade as they see any request, on any request of a connection.
    /// Other offers (`Upgrade: h2c`) are answered as plain HTTP, after which the connection closes.
    public static func http1WithWebSockets(
        configuration: WebSocketConfiguration = WebSocketConfiguration()
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { HTTP1WebSocketChannel(responder: $0, configuration: configuration) }
    }
}

struct HTTP1WebSocketChannel: ServerChildChannel {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    let configuration: WebSocketConfiguration
    /// It grows with what is read: NIO's own begins with four times as much, for as long as the connection lives.
    private static let receiveBuffer = AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 65_536)
    /// TCP_USER_TIMEOUT (RFC 5482) of Linux, which NIO has no name for.
    private static let userTimeout = NIOBSDSocket.Option(rawValue: 18)
    /// Milliseconds for which what is sent may stay unread: who takes nothing that long is cut off.
    private static let patience: SocketOptionValue = 30_000

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let http = HTTPHandlers(
                encoder: HTTPResponseEncoder(),
                decoder: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes)),
                codec: HTTP1ToHTTPServerCodec(secure: false), expectation: ContinueAnswer(),
                state: HTTPConnectionStateHandler(idleTimeout: configuration.idleTimeout, logger: logger))
            try channel.syncOptions?.setOption(.recvAllocator, value: Self.receiveBuffer)
            try channel.syncOptions?.setOption(.tcpOption(Self.userTimeout), value: Self.patience)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(http.encoder)
            try pipeline.addHandler(http.decoder)
            try pipeline.addHandler(http.codec)
            try pipeline.addHandler(http.expectation)
            try pipeline.addHandler(http.state)
            try pipeline.addHandler(WebSocketSwitch(http: http, configuration: configuration))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    /// As `HTTPChannelHandler.handleHTTP`, except that nothing of HTTP is kept while a session runs.
    func handle(value: Value, logger: Logger) async {
        do {
            try await withTaskCancellationHandler {
                try await value.executeThenClose { inbound, outbound in
                    let requests = ConnectionRequests(inbound)
                    if let session = try await answer(requests, outbound, on: value.channel, logger) {
                        try await session()
                        // The client's part of the closing handshake.
                        try await requests.drain()
                    }
                    outbound.finish()
                    try await value.channel.closeFuture.get()
                }
            } onCancel: {
                value.channel.close(mode: .input, promise: nil)
            }
        } catch {
            logger.trace("Connection ended early", metadata: ["error": "\(error)"])
        }
    }

    /// Answers requests until one has become a WebSocket or no more come. A function of its own, whose frame, with the
    /// request in it, is gone when the session runs.
    /// - Returns: The session of the WebSocket.
    @inline(never) private func answer(
        _ requests: ConnectionRequests, _ outbound: NIOAsyncChannelOutboundWriter<HTTPResponsePart>,
        on channel: any Channel, _ logger: Logger
    ) async throws -> SessionHandover.Session? {
        do {
            while let request = try await requests.next() {
                if let session = try await SessionHandover.answer(request, outbound, on: channel, by: responder) {
                    return session
                }
                if request.headers[.connection] == "close" { break }
            }
        } catch is HTTPParserError {
            logger.debug("Malformed request")
            let head = HTTPResponse(status: .badRequest, headerFields: [.connection: "close", .contentLength: "0"])
            try await outbound.write(contentsOf: [.head(head), .end(nil)])
        }
        return nil
    }
}

/// What makes a channel speak HTTP, and leaves when it is to speak WebSocket.
struct HTTPHandlers {
    let encoder: HTTPResponseEncoder
    let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    let codec: HTTP1ToHTTPServerCodec
    let expectation: ContinueAnswer
    let state: HTTPConnectionStateHandler
}
