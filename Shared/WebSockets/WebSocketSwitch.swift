import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Watches for requests with `Connection: Upgrade`.
///
/// The end of such a request is held back until its answer is known. After 101 the HTTP handlers give way to those of a
/// WebSocket, and the request's body becomes the client's messages. After anything else the end is let through and the
/// connection closes with the answer, since NIO's decoder reads no further request after one that offered an upgrade.
final class WebSocketSwitch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        case http
        /// An upgrade was offered; `handshake` is nil unless it is one to WebSocket.
        case offered(handshake: OpeningHandshake?, heldEnd: HTTPRequestPart?)
        case closing
    }

    private var state = State.http
    private let http: HTTPHandlers
    private let configuration: WebSocketConfiguration

    init(http: HTTPHandlers, configuration: WebSocketConfiguration) {
        self.http = http
        self.configuration = configuration
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch (part, state) {
        case (.head(let head), .http) where head.headerFields.hasToken("upgrade", in: .connection):
            state = .offered(handshake: OpeningHandshake(head), heldEnd: nil)
            context.fireChannelRead(data)
        case (.end, .offered(let handshake?, _)):
            state = .offered(handshake: handshake, heldEnd: part)
        default:
            context.fireChannelRead(data)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (unwrapOutboundIn(data), state) {
        case (.head(var head), .offered(let handshake?, _)) where head.status == .switchingProtocols:
            head.headerFields[.connection] = "Upgrade"
            head.headerFields[.upgrade] = "websocket"
            head.headerFields[.secWebSocketAccept] = handshake.accept
            head.headerFields[.transferEncoding] = nil
            let areMessagesHeard = !IgnoredMessages.unmark(&head.headerFields)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: promise)
            becomeWebSocket(context: context, areMessagesHeard: areMessagesHeard)
        case (.head(var head), .offered(_, let heldEnd)) where head.status.kind != .informational:
            head.headerFields[.connection] = "close"
            state = .closing
            context.write(wrapOutboundOut(.head(head)), promise: promise)
            if let heldEnd {
                context.fireChannelRead(wrapInboundOut(heldEnd))
                context.fireChannelReadComplete()
            }
        case (.end, .closing):
            let context = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.value.writeAndFlush(data).whenComplete { result in
                promise?.completeWith(result)
                context.value.close(promise: nil)
            }
        default:
            context.write(data, promise: promise)
        }
    }

    private func becomeWebSocket(context: ChannelHandlerContext, areMessagesHeard: Bool) {
        let pipeline = context.pipeline.syncOperations
        do {
            _ = pipeline.removeHandler(http.state)
            _ = pipeline.removeHandler(http.expectation)
            _ = pipeline.removeHandler(http.codec)
            try pipeline.addHandler(
                WebSocketMessages(configuration: configuration, areHeard: areMessagesHeard), position: .before(self))
            _ = pipeline.removeHandler(http.encoder)
            // The decoder leaves a moment later and then passes on what came behind the request; NIOAsyncChannel
            // delivers it only when told that the read is complete.
            let channel = context.channel
            pipeline.removeHandler(http.decoder).whenComplete { _ in channel.pipeline.fireChannelReadComplete() }
            _ = pipeline.removeHandler(self)
        } catch {
            context.close(promise: nil)
        }
    }
}
