import NIOCore
import NIOPosix
import NIOSSL

/// Plays the server's side of recorded dialogs over a real socket: says the greeting, then for each line of the client
/// that begins with the expected word, the answer. Anything unexpected ends the connection.
struct DialogServer {
    struct Turn: Sendable {
        let expected: String
        /// nil: says nothing. An empty expectation takes any line.
        let answer: String?
        var startsTLS = false

        init(_ expected: String, _ answer: String?, startsTLS: Bool = false) {
            (self.expected, self.answer, self.startsTLS) = (expected, answer, startsTLS)
        }
    }

    let port: Int
    private let channel: any Channel

    static func start(
        _ turns: [Turn], greeting: String? = "220 ready", isTLS: Bool = false
    ) async throws -> DialogServer {
        let tls = try serverContext()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isTLS { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
                    try pipeline.addHandler(DialogHandler(turns: turns, greeting: greeting, tls: tls))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return DialogServer(port: channel.localAddress?.port ?? 0, channel: channel)
    }

    /// Connections already made go on.
    func stopListening() async throws { try await channel.close() }

    private static func serverContext() throws -> NIOSSLContext {
        let certificate = try NIOSSLCertificate(bytes: Array(TestCertificate.certificate.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(TestCertificate.key.utf8), format: .pem)
        return try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
    }
}

private final class DialogHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var turns: ArraySlice<DialogServer.Turn>
    private let greeting: String?
    private let tls: NIOSSLContext
    private var line: [UInt8] = []

    init(turns: [DialogServer.Turn], greeting: String?, tls: NIOSSLContext) {
        (self.turns, self.greeting, self.tls) = (turns[...], greeting, tls)
    }

    func channelActive(context: ChannelHandlerContext) {
        if let greeting { say(greeting, context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for byte in unwrapInboundIn(data).readableBytesView {
            line.append(byte)
            guard byte == 0x0a else { continue }
            let text = String(decoding: line, as: UTF8.self)
            line = []
            answer(text, context)
        }
    }

    private func answer(_ text: String, _ context: ChannelHandlerContext) {
        guard let turn = turns.popFirst(), text.hasPrefix(turn.expected) else { return context.close(promise: nil) }
        if let answer = turn.answer { say(answer, context) }
        if turn.startsTLS {
            let handler = NIOSSLServerHandler(context: tls)
            try? context.pipeline.syncOperations.addHandler(handler, position: .first)
        }
    }

    private func say(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text + "\r\n")), promise: nil)
    }
}
