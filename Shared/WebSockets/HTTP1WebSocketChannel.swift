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

struct HTTP1WebSocketChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let responder: HTTPChannelHandler.Responder
    let configuration: WebSocketConfiguration
    /// Of a request whole, and grows with what is read: NIO's own begins with twice as much, for as long as the
    /// connection lives.
    private static let receiveBuffer = AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 1024, maximum: 65_536)

    init(responder: @escaping HTTPChannelHandler.Responder, configuration: WebSocketConfiguration) {
        self.responder = SessionHandover.around(responder)
        self.configuration = configuration
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let http = HTTPHandlers(
                encoder: HTTPResponseEncoder(),
                decoder: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes)),
                codec: HTTP1ToHTTPServerCodec(secure: false), expectation: ContinueAnswer(),
                state: HTTPConnectionStateHandler(idleTimeout: configuration.idleTimeout, logger: logger))
            try channel.syncOptions?.setOption(.recvAllocator, value: Self.receiveBuffer)
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

    func handle(value: Value, logger: Logger) async { await handleHTTP(asyncChannel: value, logger: logger) }
}

/// What makes a channel speak HTTP, and leaves when it is to speak WebSocket.
struct HTTPHandlers {
    let encoder: HTTPResponseEncoder
    let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    let codec: HTTP1ToHTTPServerCodec
    let expectation: ContinueAnswer
    let state: HTTPConnectionStateHandler
}
