import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import HTTPService

/// What is answered before the router, and what is left to it.
@Suite struct PromptTests {
    /// A connection whose router answers everything with an empty 200.
    private final class Connection {
        private let channel = EmbeddedChannel()

        init() throws {
            let route = PromptRoute("/prompt", headers: ["authorization"]) { request in
                let authorization = request.header("authorization").map { String(decoding: $0, as: UTF8.self) }
                guard authorization != "no", let token = request.formField("token") else { return .leave }
                if authorization == "soon" {
                    return .soon { token == "unknown" ? nil : ByteBuffer(string: "prompt \(token)") }
                }
                return .json(ByteBuffer(string: "prompt \(token)"))
            }
            let handler = PromptHandler([(route, nil)])
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(handler)
            try pipeline.addHandler(HTTPResponseEncoder())
            try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
            try pipeline.addHandler(PromptHandler.Answers(of: handler))
            try pipeline.addHandler(AnswersWhenRead())
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            // The first of a connection is the router's.
            _ = try send(PromptTests.request())
        }

        /// What comes back at once; `error` for what is no HTTP.
        func send(_ bytes: String) throws -> String {
            do { try channel.writeInbound(ByteBuffer(string: bytes)) } catch { return "error" }
            var output = ""
            while let part = try channel.readOutbound(as: ByteBuffer.self) { output += String(buffer: part) }
            return output
        }

        /// What comes back when all that was begun has ended.
        func wait() throws -> String {
            var output = ""
            let end = ContinuousClock.now + .seconds(5)
            while output.isEmpty, ContinuousClock.now < end {
                channel.embeddedEventLoop.run()
                while let part = try channel.readOutbound(as: ByteBuffer.self) { output += String(buffer: part) }
            }
            return output
        }

        deinit { _ = try? channel.finish() }
    }

    fileprivate static func request(
        _ line: String = "POST /prompt HTTP/1.1", _ fields: String = "", body: String = "token=abc"
    ) -> String {
        """
        \(line)\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
        Content-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)
        """
    }

    @Test func aPlainRequestIsAnsweredFromItsBytesInPiecesToo() throws {
        let connection = try Connection()
        for _ in 0..<3 { #expect(try connection.send(Self.request()).hasSuffix("\r\n\r\nprompt abc")) }
        let whole = Self.request(body: "token=in-pieces")
        for cut in [1, 10, 22, 23, 60, whole.utf8.count - 3] {
            #expect(try connection.send(String(decoding: whole.utf8.prefix(cut), as: UTF8.self)) == "")
            let answer = try connection.send(String(decoding: whole.utf8.dropFirst(cut), as: UTF8.self))
            #expect(answer.hasSuffix("prompt in-pieces"), "\(cut)")
        }
        let named = try connection.send(Self.request("POST /prompt HTTP/1.1", "X-Request-ID: mine\r\n"))
        #expect(named.contains("\r\nX-Request-ID: mine\r\n"))
        let mangled = try connection.send(Self.request("POST /prompt HTTP/1.1", "X-Request-ID: a b\r\n"))
        #expect(mangled.hasSuffix("prompt abc") && !mangled.contains("a b"))
    }

    @Test func aConnectionComesBackWithTheAnswerOfTheRouter() throws {
        let connection = try Connection()
        let refused = Self.request("POST /prompt HTTP/1.1", "Authorization: no\r\nX-Request-ID: r1\r\n")
        #expect(try connection.send(refused).contains("X-Request-ID: r1"))
        #expect(try connection.send(Self.request()).hasSuffix("prompt abc"))
    }

    @Test func whatIsAnsweredInAMomentKeepsItsPlace() throws {
        let connection = try Connection()
        let soon = "Authorization: soon\r\n"
        #expect(try connection.send(Self.request("POST /prompt HTTP/1.1", soon)) == "")
        #expect(try connection.wait().hasSuffix("prompt abc"))
        // Left to the router after all, which is asked at once.
        let left = Self.request("POST /prompt HTTP/1.1", soon + "X-Request-ID: r1\r\n", body: "token=unknown")
        #expect(try connection.send(left) == "")
        #expect(try connection.wait().contains("X-Request-ID: r1"))
        // What comes meanwhile is answered behind it.
        #expect(try connection.send(Self.request("POST /prompt HTTP/1.1", soon, body: "token=first")) == "")
        #expect(try connection.send(Self.request(body: "token=second")) == "")
        let both = try connection.wait()
        #expect(both.contains("prompt first") && both.hasSuffix("prompt second"))
    }

    @Test(arguments: [
        Self.request("POST /prompt?a=b HTTP/1.1"), Self.request("GET /prompt HTTP/1.1"),
        Self.request("POST /prompt HTTP/1.0"), Self.request("POST http://a/prompt HTTP/1.1"),
        Self.request("POST  /prompt HTTP/1.1"), Self.request("POST /prompt HTTP/1.1", "Content-Length: 9\r\n"),
        Self.request("POST /prompt HTTP/1.1", "Transfer-Encoding: chunked\r\n"),
        Self.request("POST /prompt HTTP/1.1", "Expect: 100-continue\r\n"),
        Self.request("POST /prompt HTTP/1.1", "Connection: close\r\n"),
        Self.request("POST /prompt HTTP/1.1", "Upgrade: h2c\r\n"),
        Self.request("POST /prompt HTTP/1.1", "Host: b\r\n"), Self.request("POST /prompt HTTP/1.1", "A: b\r\n c\r\n"),
        Self.request("POST /prompt HTTP/1.1", "A : b\r\n"), Self.request("POST /prompt HTTP/1.1", "A: b\n"),
        Self.request("POST /prompt HTTP/1.1", "A: b\rc\r\n"), Self.request("POST /prompt HTTP/1.1", "A: \u{e9}\r\n"),
        Self.request("POST /prompt HTTP/1.1", "Authorization: a\r\nauthorization: b\r\n"),
        Self.request() + Self.request(), Self.request(body: ""),
        "POST /prompt HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\ntoken=abc",
    ])
    func whatCouldBeReadOtherwiseIsTheRouters(bytes: String) throws {
        #expect(try !Connection().send(bytes).contains("prompt"))
    }
}

/// Stands where the router is, which reads when it is told that no more comes now.
private final class AnswersWhenRead: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private var ids: [String] = []
    private var isComplete = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) {
            ids.append(head.headers.first(name: "x-request-id") ?? "none")
        }
        if case .end = unwrapInboundIn(data) { isComplete = true }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard isComplete else { return }
        isComplete = false
        for id in ids {
            let head = HTTPResponseHead(
                version: .http1_1, status: .ok, headers: ["X-Request-ID": id, "Content-Length": "0"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
        ids = []
    }
}
