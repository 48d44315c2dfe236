import Foundation
import NIOCore
import NIOPosix
import Testing

/// A WebSocket client (RFC 6455) of the tests' own: it shares no code with the server, and keeps all it heard.
actor EventStream {
    private(set) var events: [JSON] = []
    /// The code of the server's close frame; 1006 when the connection broke without one.
    private(set) var closeCode: Int?
    private var reader: Task<Void, Never>?

    /// What came instead of `101 Switching Protocols`.
    struct Refused: Error, CustomStringConvertible {
        let status: Int
        let body: String
        var description: String { "the WebSocket was refused: \(status) \(body)" }
    }

    /// Opens `GET /api/v1/mail/events` at the client's gateway.
    init(_ client: Client, query: String = "", subprotocol: String? = nil) async throws {
        guard let url = URL(string: client.base), let host = url.host(), let port = url.port else {
            throw Surprise("not an address: \(client.base)")
        }
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(.seconds(5))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let request = Self.upgradeRequest(client, path: "/api/v1/mail/events\(query)", host, subprotocol)
        let (upgraded, opened) = AsyncThrowingStream.makeStream(of: Void.self)
        reader = Task { await self.run(channel, request: request, opened: opened) }
        for try await _ in upgraded { return }
        throw Surprise("the connection ended before the WebSocket was open")
    }

    /// Of one type, in the order heard.
    func events(_ type: String, folder: String? = nil) -> [JSON] {
        events.filter { event in
            event["type"].string == type && (folder == nil || event["data"]["folder"].string == folder)
        }
    }

    func newMessages(subject: String) -> [JSON] {
        events("mail.new_message").filter { $0["data"]["message"]["subject"].string == subject }
    }

    /// The first event that fits, heard already or within `limit`.
    func first(
        within limit: Duration, _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
        where fits: @Sendable (JSON) -> Bool
    ) async throws -> JSON {
        try await eventually(within: limit, what, sourceLocation: sourceLocation) { events.contains(where: fits) }
        guard let event = events.first(where: fits) else { throw Surprise("an event vanished") }
        return event
    }

    func newMessage(subject: String, within limit: Duration = .seconds(10)) async throws -> JSON {
        try await first(within: limit, "mail.new_message of \"\(subject)\"") {
            $0["type"] == "mail.new_message" && $0["data"]["message"]["subject"].string == subject
        }
    }

    func close() { reader?.cancel() }

    // MARK: the wire

    private static func upgradeRequest(_ client: Client, path: String, _ host: String, _ subprotocol: String?) -> String
    {
        let key = Data((0..<16).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        var headers = [
            ("Host", host), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
        ]
        headers += client.credentials.headers
        if let subprotocol { headers.append(("Sec-WebSocket-Protocol", subprotocol)) }
        return "GET \(path) HTTP/1.1\r\n" + headers.map { "\($0.0): \($0.1)\r\n" }.joined() + "\r\n"
    }

    private func run(
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>, request: String,
        opened: AsyncThrowingStream<Void, any Error>.Continuation
    ) async {
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: request))
                try await self.read(inbound, outbound, opened: opened)
            }
        } catch {
            opened.finish(throwing: error)
        }
        opened.finish()
        if closeCode == nil { closeCode = 1006 }
    }

    private func read(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        opened: AsyncThrowingStream<Void, any Error>.Continuation
    ) async throws {
        var buffer = ByteBuffer(), isOpen = false
        for try await block in inbound {
            buffer.writeImmutableBuffer(block)
            if !isOpen {
                guard try Self.takeResponseHead(&buffer) else { continue }
                isOpen = true
                opened.yield()
            }
            while let frame = try WebSocketFrame.read(from: &buffer) {
                if try await take(frame, outbound) { return }
            }
        }
    }

    /// True when the conversation is over.
    private func take(
        _ frame: WebSocketFrame, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws -> Bool {
        switch frame.opcode {
        case .text: events.append(try JSON(parsing: Data(frame.payload)))
        case .ping: try await outbound.write(WebSocketFrame(opcode: .pong, payload: frame.payload).masked())
        case .close:
            closeCode = frame.closeCode ?? 1005
            try await outbound.write(WebSocketFrame(opcode: .close, payload: Array(frame.payload.prefix(2))).masked())
            return true
        case .binary, .continuation, .pong: break
        }
        return false
    }

    /// Takes the response's head off the buffer: true for a 101, false while incomplete, `Refused` for all else.
    private static func takeResponseHead(_ buffer: inout ByteBuffer) throws -> Bool {
        let view = buffer.readableBytesView
        guard let end = String(decoding: view, as: UTF8.self).range(of: "\r\n\r\n") else { return false }
        let text = String(decoding: view, as: UTF8.self)
        let head = text[..<end.upperBound]
        let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        guard status == 101 else { throw Refused(status: status, body: String(text[end.upperBound...])) }
        guard head.lowercased().contains("sec-websocket-accept:") else {
            throw Surprise("a 101 without its accept key")
        }
        buffer.moveReaderIndex(forwardBy: head.utf8.count)
        return true
    }
}
