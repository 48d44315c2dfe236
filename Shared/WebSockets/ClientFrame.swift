import NIOCore
import NIOWebSocket

/// What a client sent against RFC 6455, or too much of.
struct FrameViolation: Error {
    /// Of the close frame that answers it (§7.4.1).
    let code: UInt16
    let reason: String

    static let tooLarge = FrameViolation(code: 1009, reason: "")

    static func forbidden(_ reason: String) -> FrameViolation { FrameViolation(code: 1002, reason: reason) }
}

/// A frame from a client, unmasked (RFC 6455 §5.2).
///
/// Read here and not by NIO's decoder, which lets through what the RFC forbids and needs, with its aggregator and encoder,
/// handlers and buffers of their own for each of very many sockets.
struct ClientFrame {
    let opcode: WebSocketOpcode
    let isFinal: Bool
    let data: ByteBuffer

    private static let opcodes: [WebSocketOpcode] = [.continuation, .text, .binary, .connectionClose, .ping, .pong]

    /// Takes the next frame from the bytes.
    ///
    /// - Returns: nil, with nothing taken, when it has not come whole.
    /// - Throws: `FrameViolation`, as soon as its head has come: larger than allowed, a control frame that is fragmented or
    ///   longer than 125 bytes (§5.5), unmasked (§5.1), with reserved bits or an unknown opcode (§5.2).
    static func next(
        in bytes: inout ByteBuffer, maximumSize: Int
    ) throws(FrameViolation) -> ClientFrame? {
        var rest = bytes
        guard let first = rest.readInteger(as: UInt8.self), let second = rest.readInteger(as: UInt8.self),
            let length = payloadLength(second & 0x7f, &rest)
        else { return nil }
        guard length <= maximumSize else { throw .tooLarge }
        let isFinal = first & 0x80 != 0
        if first & 0x08 != 0, !isFinal || length > 125 {
            throw .forbidden("a control frame is fragmented or too long")
        }
        if second & 0x80 == 0 { throw .forbidden("a client's frame is not masked") }
        if first & 0x70 != 0 { throw .forbidden("a reserved bit is set") }
        guard let opcode = opcodes.first(where: { UInt8(webSocketOpcode: $0) == first & 0x0f }) else {
            throw .forbidden("the opcode is unknown")
        }
        guard let key = rest.readInteger(as: UInt32.self), var data = rest.readSlice(length: length) else { return nil }
        data.withUnsafeMutableReadableBytes { masked in
            for index in masked.indices { masked[index] ^= UInt8(truncatingIfNeeded: key >> (24 - 8 * (index & 3))) }
        }
        bytes = rest
        return ClientFrame(opcode: opcode, isFinal: isFinal, data: data)
    }

    private static func payloadLength(_ short: UInt8, _ bytes: inout ByteBuffer) -> Int? {
        switch short {
        case 126: bytes.readInteger(as: UInt16.self).map { Int($0) }
        case 127: bytes.readInteger(as: UInt64.self).map { Int(clamping: $0) }
        default: Int(short)
        }
    }
}

/// Puts a client's fragments together (RFC 6455 §5.4).
struct Fragments {
    /// However small they are.
    private static let limit = 4096

    private var opcode: WebSocketOpcode?
    private var data = ByteBuffer()
    private var count = 0

    /// - Returns: A whole message, or a control frame, which may come between fragments; nil when more is to come.
    /// - Throws: `FrameViolation`; the fragments are forgotten.
    mutating func add(_ frame: ClientFrame, maximumSize: Int) throws(FrameViolation) -> ClientFrame? {
        switch frame.opcode {
        case .text, .binary:
            guard opcode == nil else { throw refuse(.forbidden("a message begins within another")) }
            if frame.isFinal { return frame }
            opcode = frame.opcode
        case .continuation:
            guard opcode != nil else { throw refuse(.forbidden("a fragment continues nothing")) }
        default: return frame
        }
        count += 1
        guard count <= Self.limit else { throw refuse(.forbidden("too many fragments")) }
        guard data.readableBytes + frame.data.readableBytes <= maximumSize else { throw refuse(.tooLarge) }
        data.writeImmutableBuffer(frame.data)
        guard frame.isFinal, let opcode else { return nil }
        let message = ClientFrame(opcode: opcode, isFinal: true, data: data)
        self = Fragments()
        return message
    }

    private mutating func refuse(_ violation: FrameViolation) -> FrameViolation {
        self = Fragments()
        return violation
    }
}

extension ByteBuffer {
    /// The head of a frame to a client: whole, and not masked (RFC 6455 §5.2).
    mutating func writeFrameHead(_ opcode: WebSocketOpcode, length: Int) {
        writeInteger(0x80 | UInt8(webSocketOpcode: opcode))
        switch length {
        case ...125: writeInteger(UInt8(length))
        case ...0xffff:
            writeInteger(126 as UInt8)
            writeInteger(UInt16(length))
        default:
            writeInteger(127 as UInt8)
            writeInteger(UInt64(length))
        }
    }
}
