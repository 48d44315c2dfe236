import HTTPTypes
import NIOCore
import NIOHTTPTypes
import NIOWebSocket

/// Frames on one side, HTTP body parts on the other: one text message is one part; the end of the response is the
/// closing handshake.
final class WebSocketMessages: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = WebSocketFrame

    private let configuration: WebSocketConfiguration
    /// Whether the session reads what the client says.
    private let areHeard: Bool
    private var closeSent = false
    private var inputEnded = false
    /// Whether the client gave a sign of life since the last ping.
    private var isAlive = true
    private var context: ChannelHandlerContext?
    private var ping: NIOScheduledCallback?
    private var closing: Scheduled<Void>?

    init(configuration: WebSocketConfiguration, areHeard: Bool) {
        self.configuration = configuration
        self.areHeard = areHeard
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        schedulePing(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        cancelTimers()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        cancelTimers()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        isAlive = true
        // Of a client that was told to close only the answer matters (§7.1.1).
        guard !closeSent else {
            if frame.opcode == .connectionClose { context.close(promise: nil) }
            return
        }
        switch frame.opcode {
        case .text: receive(frame.unmaskedData, context: context)
        case .binary: sendClose(context, code: 1003, "only text is understood")
        case .ping: send(context, .pong, frame.unmaskedData)
        case .pong: break
        case .connectionClose: answerClose(frame.unmaskedData, context: context)
        default: sendClose(context, code: 1002)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head:
            promise?.succeed()
        case .body(let text) where !closeSent:
            let frame = WebSocketFrame(fin: true, opcode: .text, data: text)
            context.write(wrapOutboundOut(frame), promise: promise)
        case .body:
            promise?.fail(ChannelError.outputClosed)
        case .end(let trailers):
            promise?.succeed()
            let close = CloseTrailer.close(trailers)
            sendClose(context, code: close.code, close.reason)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            sendClose(context, code: 1001)
        case ChannelEvent.inputClosed:
            endInput(context)
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength, NIOWebSocketFrameAggregator.Error.accumulatedFrameSizeIsTooLarge:
            sendClose(context, code: 1009)
        case let violation as FrameViolation: sendClose(context, code: 1002, violation.reason)
        case is NIOWebSocketError, is NIOWebSocketFrameAggregator.Error: sendClose(context, code: 1002)
        default: context.close(promise: nil)
        }
    }

    private func receive(_ text: ByteBuffer, context: ChannelHandlerContext) {
        // §8.1: text that is not UTF-8 fails the connection.
        let isUTF8 = text.withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) != nil }
        guard isUTF8 else { return sendClose(context, code: 1007) }
        if areHeard { context.fireChannelRead(wrapInboundOut(.body(text))) }
    }

    /// §5.5.1: the answer echoes the code, if it is one that may be sent (§7.4).
    private func answerClose(_ payload: ByteBuffer, context: ChannelHandlerContext) {
        var payload = payload
        let length = payload.readableBytes
        let code = payload.readInteger(as: UInt16.self)
        let isReasonValid = payload.withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) != nil }
        let isCodeValid = code.map {
            (1000...1003).contains($0) || (1007...1014).contains($0) || (3000...4999).contains($0)
        }
        if length == 1 || isCodeValid == false {
            sendClose(context, code: 1002)
        } else if !isReasonValid {
            sendClose(context, code: 1007)
        } else {
            sendClose(context, code: code)
        }
        context.close(promise: nil)
    }

    private func sendClose(_ context: ChannelHandlerContext, code: UInt16?, _ reason: String = "") {
        guard !closeSent else { return }
        closeSent = true
        var payload = context.channel.allocator.buffer(capacity: 2)
        if let code {
            payload.writeInteger(code)
            payload.writeString(Self.cut(reason))
        }
        send(context, .connectionClose, payload)
        endInput(context)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        closing = context.value.eventLoop.scheduleTask(in: TimeAmount(configuration.closeTimeout)) {
            context.value.close(promise: nil)
        }
    }

    /// A control frame holds 125 bytes, two of which are the code.
    private static func cut(_ reason: String) -> String {
        var reason = reason
        while reason.utf8.count > 123 { reason.removeLast() }
        return reason
    }

    private func send(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, data: payload)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    /// Tells the session that no more messages come.
    private func endInput(_ context: ChannelHandlerContext) {
        guard !inputEnded else { return }
        inputEnded = true
        context.fireChannelRead(wrapInboundOut(.end(nil)))
        context.fireChannelReadComplete()
    }

    /// A callback and no task, which would take half a kilobyte for each of very many sockets.
    private func schedulePing(_ context: ChannelHandlerContext) {
        // Throws only when the loop is ending, and with it all its sockets.
        ping = try? context.eventLoop.assumeIsolated().scheduleCallback(
            in: TimeAmount(configuration.pingInterval), handler: self)
    }

    private func cancelTimers() {
        ping?.cancel()
        closing?.cancel()
    }
}

extension WebSocketMessages: NIOScheduledCallbackHandler {
    /// Time for a ping, unless the last one went unanswered.
    func handleScheduledCallback(eventLoop: some EventLoop) {
        guard let context else { return }
        guard isAlive else { return context.close(promise: nil) }
        isAlive = false
        send(context, .ping, ByteBuffer())
        schedulePing(context)
    }
}
