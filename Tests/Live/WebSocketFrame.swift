import NIOCore

/// One frame of RFC 6455 §5.2, as a client reads and writes it.
struct WebSocketFrame: Sendable {
    enum Opcode: UInt8, Sendable { case continuation = 0, text, binary, close = 8, ping, pong }

    var opcode: Opcode
    var payload: [UInt8] = []

    /// The status code of a close frame (§5.5.1).
    var closeCode: Int? {
        opcode == .close && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil
    }

    /// Takes the first whole frame off the buffer; nil while there is none.
    ///
    /// A server masks nothing, sets no reserved bit and, here, never fragments: anything else is an error.
    static func read(from buffer: inout ByteBuffer) throws -> WebSocketFrame? {
        var look = buffer
        guard let head = look.readInteger(as: UInt8.self), let second = look.readInteger(as: UInt8.self) else {
            return nil
        }
        guard head & 0xF0 == 0x80, second & 0x80 == 0, let opcode = Opcode(rawValue: head & 0x0F) else {
            throw Surprise("a frame that no server may send: \(head) \(second)")
        }
        let length: Int?
        switch second {
        case 126: length = look.readInteger(as: UInt16.self).map(Int.init)
        case 127: length = look.readInteger(as: UInt64.self).map(Int.init)
        default: length = Int(second)
        }
        guard let length, let payload = look.readBytes(length: length) else { return nil }
        buffer = look
        return WebSocketFrame(opcode: opcode, payload: payload)
    }

    /// As a client has to send it: masked (§5.3). Payloads up to 125 bytes, which is all our tests send.
    func masked() -> ByteBuffer {
        precondition(payload.count <= 125)
        let mask = (0..<4).map { _ in UInt8.random(in: 0...255) }
        var bytes = ByteBuffer(bytes: [0x80 | opcode.rawValue, 0x80 | UInt8(payload.count)] + mask)
        bytes.writeBytes(payload.enumerated().map { $1 ^ mask[$0 % 4] })
        return bytes
    }
}
