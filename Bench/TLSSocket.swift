import NIOCore
import NIOEmbedded
import NIOSSL

/// A blocking TLS connection: the cipher is worked by hand, without an event loop, so that it costs no more than it
/// must.
final class TLSSocket {
    private let socket: Socket
    private let channel = EmbeddedChannel()
    private var received: [UInt8] = []

    /// - Parameter authority: A PEM file of the roots to trust.
    init(port: Int, authority: String) throws {
        socket = try Socket(port: port)
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(authority)
        let context = try NIOSSLContext(configuration: configuration)
        try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: "localhost"))
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: port), promise: nil)
        try flush()
    }

    func send(_ text: String) throws {
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        try flush()
    }

    /// The next line without its CRLF.
    func line() throws -> String {
        while true {
            if let end = received.firstIndex(of: 10) {
                let line = received[..<end]
                defer { received.removeFirst(end + 1) }
                return String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
            }
            try channel.writeInbound(ByteBuffer(bytes: socket.some()))
            try flush()
            while let plain = try channel.readInbound(as: ByteBuffer.self) { received += plain.readableBytesView }
        }
    }

    private func flush() throws {
        while let sealed = try channel.readOutbound(as: ByteBuffer.self) {
            try socket.send(Array(sealed.readableBytesView))
        }
    }
}
