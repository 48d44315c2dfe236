public import NIOCore
import NIOPosix

/// A bare socket to a WebSocket server, so that a test can say exactly what goes over the wire.
public struct RawClient: ~Copyable {
    public struct Frame: Equatable, Sendable {
        public let opcode: UInt8
        public let payload: [UInt8]

        public init(opcode: UInt8, payload: [UInt8]) {
            self.opcode = opcode
            self.payload = payload
        }

        public var text: String { String(decoding: payload, as: UTF8.self) }
        /// The code of a close frame.
        public var code: Int? { opcode == 8 && payload.count >= 2 ? Int(payload[0]) << 8 | Int(payload[1]) : nil }
    }

    /// How long a test may take.
    private static let patience = Duration.seconds(10)

    private let begun = ContinuousClock.now
    private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    public let channel: any Channel
    private var buffer = ByteBuffer()

    /// Runs `body` with a connection to the port, which is closed after it.
    public static func connected(port: Int, _ body: @Sendable (inout RawClient) async throws -> Void) async throws {
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        try await connection.executeThenClose { inbound, outbound in
            var client = RawClient(
                iterator: inbound.makeAsyncIterator(), outbound: outbound, channel: connection.channel)
            // Whatever hangs in a test ends here.
            let guardian = connection.channel.eventLoop.scheduleTask(in: TimeAmount(Self.patience)) {
                [channel = connection.channel] in
                channel.close(promise: nil)
            }
            defer { guardian.cancel() }
            try await body(&client)
        }
    }

    private init(
        iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, channel: any Channel
    ) {
        self.iterator = iterator
        self.outbound = outbound
        self.channel = channel
    }

    public func write(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    public func write(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }
    public func finish() { outbound.finish() }

    public static func handshake(_ path: String, headers: [String: String] = [:]) -> String {
        """
        GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        \(headers.map { "\($0): \($1)\r\n" }.joined())\r\n
        """
    }

    /// - Returns: The head of the answer.
    public mutating func open(_ path: String, headers: [String: String] = [:]) async throws -> String {
        try await write(Self.handshake(path, headers: headers))
        return try await head()
    }

    /// A frame as a client sends it.
    public static func frame(
        _ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, masked: Bool = true, reserved: UInt8 = 0
    ) -> [UInt8] {
        var frame = [(fin ? 0x80 : 0) | reserved | opcode]
        let flag: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ..<126: frame.append(flag | UInt8(payload.count))
        case ..<65_536: frame += [flag | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: frame += [flag | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
        }
        guard masked else { return frame + payload }
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        return frame + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    public func text(_ text: String) async throws { try await write(Self.frame(1, Array(text.utf8))) }

    /// Reads up to the blank line of a response.
    public mutating func head() async throws -> String {
        while true {
            let text = String(buffer: buffer)
            if let end = text.range(of: "\r\n\r\n") {
                buffer.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
                return String(text[..<end.upperBound])
            }
            guard try await fill() else { return text }
        }
    }

    /// Reads until the text occurs or the connection ends.
    public mutating func read(until wanted: String) async throws -> String {
        while true {
            let text = String(buffer: buffer)
            if text.contains(wanted) { return text }
            guard try await fill() else { return text }
        }
    }

    /// The next frame; nil when the connection ends before.
    public mutating func next() async throws -> Frame? {
        while true {
            if let frame = takeFrame() { return frame }
            guard try await fill() else { return nil }
        }
    }

    /// Whether the server closes now.
    public mutating func isClosed() async throws -> Bool {
        while try await fill() {}
        // Not by the guardian.
        return ContinuousClock.now - begun < Self.patience
    }

    private mutating func takeFrame() -> Frame? {
        var copy = buffer
        guard let first = copy.readInteger(as: UInt8.self), let second = copy.readInteger(as: UInt8.self) else {
            return nil
        }
        var length = Int(second & 127)
        if length == 126 {
            guard let extended = copy.readInteger(as: UInt16.self) else { return nil }
            length = Int(extended)
        } else if length == 127 {
            guard let extended = copy.readInteger(as: UInt64.self) else { return nil }
            length = Int(extended)
        }
        guard let payload = copy.readBytes(length: length) else { return nil }
        buffer = copy
        return Frame(opcode: first & 15, payload: payload)
    }

    private mutating func fill() async throws -> Bool {
        guard var more = try await iterator.next() else { return false }
        buffer.writeBuffer(&more)
        return true
    }
}

extension String {
    fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
