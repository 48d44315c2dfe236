import FoundationEssentials
public import NIOCore
import NIOPosix

/// A server that keeps the Sieve scripts of mailboxes (RFC 5804).
public struct ManageSieve: Sendable {
    private let host: String
    private let port: Int
    private let tls: SieveTLS?
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - tls: Begun before the login (STARTTLS); nil for a server that is reached inside.
    ///   - timeout: Of a whole session.
    public init(host: String, port: Int, tls: SieveTLS? = nil, timeout: TimeAmount = .seconds(3)) {
        self.host = host
        self.port = port
        self.tls = tls
        self.timeout = timeout
    }

    /// Logs in to a mailbox with a bearer token (RFC 7628) and lets `body` work with its scripts.
    /// - Throws: `ManageSieveError`, and what `body` throws.
    public func withSession<Value: Sendable>(
        user: String, token: String, _ body: (inout SieveSession) async throws -> Value
    ) async throws -> Value {
        let (stream, continuation) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop).connectTimeout(.seconds(2)).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Incoming(continuation: continuation))
                }
            }.connect(host: host, port: port).get()
        } catch { throw ManageSieveError.away }
        let deadline = loop.scheduleTask(in: timeout) {
            continuation.finish(throwing: ManageSieveError.late)
            channel.close(promise: nil)
        }
        defer {
            deadline.cancel()
            channel.close(promise: nil)
        }
        var session = SieveSession(channel: channel, incoming: stream.makeAsyncIterator())
        _ = try await session.reply()
        if let tls { try await session.startTLS(tls, host: host) }
        try await session.logIn(user: user, token: token)
        return try await body(&session)
    }
}

/// One session of a mailbox: one command at a time.
public struct SieveSession {
    private let channel: any Channel
    private var incoming: AsyncThrowingStream<ByteBuffer, any Error>.AsyncIterator
    private var parser = SieveReplyParser()

    init(channel: any Channel, incoming: AsyncThrowingStream<ByteBuffer, any Error>.AsyncIterator) {
        self.channel = channel
        self.incoming = incoming
    }

    /// The names of the scripts, and which of them is active (RFC 5804 §2.7).
    public mutating func list() async throws -> (names: [String], active: String?) {
        var names: [String] = [], active: String?
        for line in try await command([.word("LISTSCRIPTS")]).lines {
            guard case .string(let bytes)? = line.first else { continue }
            let name = String(decoding: bytes, as: UTF8.self)
            names.append(name)
            if line.count > 1 { active = name }
        }
        return (names, active)
    }

    /// A script; nil when there is none of that name (RFC 5804 §2.9).
    public mutating func get(_ name: String) async throws -> String? {
        do {
            let reply = try await command([.word("GETSCRIPT"), .string(Array(name.utf8))])
            guard case .string(let bytes)? = reply.lines.first?.first else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        } catch ManageSieveError.refused(code: "NONEXISTENT", _) { return nil }
    }

    /// Keeps a script, which the server looks at first (RFC 5804 §2.6).
    public mutating func put(_ name: String, _ script: String) async throws {
        _ = try await command([.word("PUTSCRIPT"), .string(Array(name.utf8)), .string(Array(script.utf8))])
    }

    /// Has this script run for each mail; the empty name: none (RFC 5804 §2.8).
    public mutating func activate(_ name: String) async throws {
        _ = try await command([.word("SETACTIVE"), .string(Array(name.utf8))])
    }

    /// Forgets a script that is not active (RFC 5804 §2.10).
    public mutating func delete(_ name: String) async throws {
        _ = try await command([.word("DELETESCRIPT"), .string(Array(name.utf8))])
    }

    /// RFC 5804 §2.2: what the server can do it says once more, under TLS.
    mutating func startTLS(_ tls: SieveTLS, host: String) async throws {
        _ = try await command([.word("STARTTLS")])
        // What came behind the answer in the clear would be taken for the server's words under TLS.
        guard parser.isEmpty else { throw ManageSieveError.malformed }
        do { try await tls.begin(on: channel, host: host) } catch { throw ManageSieveError.away }
        _ = try await reply()
    }

    mutating func logIn(user: String, token: String) async throws {
        // RFC 7628 §3.1; "," and "=" in a name are written as =2C and =3D (RFC 5801 §4).
        let name = user.replacing("=", with: "=3D").replacing(",", with: "=2C")
        let response = "n,a=\(name),\u{1}auth=Bearer \(token)\u{1}\u{1}"
        try await send([
            .word("AUTHENTICATE"), .string(Array("OAUTHBEARER".utf8)),
            .string(Array(Data(response.utf8).base64EncodedString().utf8)),
        ])
        while try parser.next() == nil {
            // Why the token is refused, which the server says once more when it has been answered (RFC 7628 §3.2.3).
            if try parser.takeChallenge() { try await send([.string(Array("AQ==".utf8))]) } else { try await read() }
        }
    }

    /// The next answer of the server.
    mutating func reply() async throws -> SieveReply {
        while true {
            if let reply = try parser.next() { return reply }
            try await read()
        }
    }

    private mutating func read() async throws {
        let more: ByteBuffer?
        do { more = try await incoming.next() } catch let error as ManageSieveError { throw error } catch {
            throw ManageSieveError.away
        }
        guard let more else { throw ManageSieveError.away }
        try parser.append(more.readableBytesView)
    }

    private mutating func command(_ tokens: [SieveReply.Token]) async throws -> SieveReply {
        try await send(tokens)
        return try await reply()
    }

    /// Strings go as literals that need not be waited for (RFC 5804 §4): nothing in them can be taken for a command.
    private func send(_ tokens: [SieveReply.Token]) async throws {
        var buffer = ByteBuffer()
        for (index, token) in tokens.enumerated() {
            if index > 0 { buffer.writeString(" ") }
            switch token {
            case .word(let word), .code(let word): buffer.writeString(word)
            case .string(let bytes):
                buffer.writeString("{\(bytes.count)+}\r\n")
                buffer.writeBytes(bytes)
            }
        }
        buffer.writeString("\r\n")
        do { try await channel.writeAndFlush(buffer) } catch { throw ManageSieveError.away }
    }
}

private final class Incoming: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let continuation: AsyncThrowingStream<ByteBuffer, any Error>.Continuation

    init(continuation: AsyncThrowingStream<ByteBuffer, any Error>.Continuation) { self.continuation = continuation }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        continuation.finish(throwing: ManageSieveError.away)
        context.close(promise: nil)
    }
}
