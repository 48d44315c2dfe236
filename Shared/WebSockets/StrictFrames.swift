import NIOCore
import NIOWebSocket

/// A frame that RFC 6455 forbids.
struct FrameViolation: Error {
    let reason: String
}

/// Refuses what NIO's decoder lets through: unmasked client frames, reserved bits, unknown opcodes (RFC 6455 §5.1, §5.2)
/// and control frames that are fragmented or longer than 125 bytes (§5.5). It stands before the aggregator, which drops
/// these marks.
final class StrictFrames: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketFrame

    private var isBroken = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isBroken else { return }
        if let reason = violation(unwrapInboundIn(data)) {
            isBroken = true
            context.fireErrorCaught(FrameViolation(reason: reason))
        } else {
            context.fireChannelRead(data)
        }
    }

    private func violation(_ frame: WebSocketFrame) -> String? {
        if frame.maskKey == nil { return "a client's frame is not masked" }
        if frame.rsv1 || frame.rsv2 || frame.rsv3 { return "a reserved bit is set" }
        switch frame.opcode {
        case .continuation, .text, .binary: return nil
        case .ping, .pong, .connectionClose:
            return frame.fin && frame.length <= 125 ? nil : "a control frame is fragmented or too long"
        default: return "the opcode is unknown"
        }
    }
}
