import HTTPTypes
import NIOCore
import NIOHTTPTypes
import NIOWebSocket

/// A WebSocket's bytes on one side, HTTP body parts on the other: one text message is one part; the end of the response is
/// the closing handshake.
final class WebSocketMessages: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = ByteBuffer

    private let configuration: WebSocketConfiguration
    /// Whether the session reads what the client says.
    private let areHeard: Bool
    /// The beginning of a frame.
    private var partial: ByteBuffer?
    private var fragments = Fragments()
    /// Where the next frame begins is not known any more.
    private var isBroken = false
    private var closeSent = false
    private var inputEnded = false
    /// Whether the client gave a sign of life since the last ping.
    private var isAlive = true
    /// What the last ping said that could not be answered yet.
    private var unanswered: ByteBuffer?
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
        guard !isBroken else { return }
        isAlive = true
        var bytes = unwrapInboundIn(data)
        if var earlier = partial.take() {
            earlier.writeBuffer(&bytes)
            bytes = earlier
        }
        do throws(FrameViolation) {
            while let frame = try ClientFrame.next(in: &bytes, maximumSize: configuration.maximumFrameSize) {
                receive(frame, context: context)
            }
        } catch {
            isBroken = true
            return sendClose(context, code: error.code, error.reason)
        }
        guard bytes.readableBytes > 0 else { return }
        bytes.discardReadBytes()
        partial = bytes
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, !closeSent, let payload = unanswered.take() { send(context, .pong, payload) }
        context.fireChannelWritabilityChanged()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head:
            promise?.succeed()
        case .body(let text) where !closeSent:
            // Apart from the head, since many sessions may send the same text.
            context.write(wrapOutboundOut(head(context, .text, length: text.readableBytes)), promise: nil)
            context.write(wrapOutboundOut(text), promise: promise)
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

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func receive(_ frame: ClientFrame, context: ChannelHandlerContext) {
        // Of a client that was told to close only the answer matters (§7.1.1).
        guard !closeSent else {
            if frame.opcode == .connectionClose { context.close(promise: nil) }
            return
        }
        do throws(FrameViolation) {
            guard let whole = try fragments.add(frame, maximumSize: configuration.maximumMessageSize) else { return }
            answer(whole, context: context)
        } catch {
            sendClose(context, code: error.code, error.reason)
        }
    }

    private func answer(_ frame: ClientFrame, context: ChannelHandlerContext) {
        switch frame.opcode {
        case .text: receive(frame.data, context: context)
        case .binary: sendClose(context, code: 1003, "only text is understood")
        case .ping: answerPing(frame.data, context: context)
        case .connectionClose: answerClose(frame.data, context: context)
        default: break  // A pong was a sign of life.
        }
    }

    /// Of pings that a client sends and whose answers it does not read only the last is answered (§5.5.3): the others would
    /// pile up here.
    private func answerPing(_ payload: ByteBuffer, context: ChannelHandlerContext) {
        if context.channel.isWritable {
            send(context, .pong, payload)
        } else {
            unanswered = payload
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
        var frame = head(context, opcode, length: payload.readableBytes)
        frame.writeImmutableBuffer(payload)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func head(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, length: Int) -> ByteBuffer {
        var head = context.channel.allocator.buffer(capacity: 10)
        head.writeFrameHead(opcode, length: length)
        return head
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
