import HTTPTypes
import Hummingbird
import HummingbirdCore
import HummingbirdTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import WebSockets

@Suite(.timeLimit(.minutes(1))) struct WebSocketTests {
    /// A server with an echo at `/ws`, which closes as it is told to by `close <code>`.
    func withServer(
        _ configuration: WebSocketConfiguration = .init(), ended: AsyncStream<Void>.Continuation? = nil,
        _ test: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let router = Router()
        router.get("/hello") { _, _ in "Hello" }
        router.post("/echo") { request, _ in
            String(buffer: try await request.body.collect(upTo: 1000))
        }
        router.get("/refused") { _, _ in HTTPResponse.Status.unauthorized }
        router.get("/ws") { request, _ in
            Response.webSocket(request, subprotocol: request.webSocketProtocols.first) { inbound, outbound in
                for try await message in inbound {
                    if message.hasPrefix("close "), let code = UInt16(message.dropFirst(6)) {
                        return outbound.closeWhenDone(WebSocketClose(code: code, reason: "as told"))
                    }
                    try await outbound.send(message)
                }
            }
        }
        router.get("/told") { request, _ in
            Response.webSocket(request) { outbound in
                let (gone, isGone) = AsyncStream<Void>.makeStream()
                outbound.whenGone { isGone.finish() }
                try await outbound.send("told")
                for await _ in gone {}
                ended?.yield()
            }
        }
        let application = Application(
            router: router, server: .http1WithWebSockets(configuration: configuration),
            configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: Logger(label: "test"))
        try await application.test(.live) { client in try await test(try #require(client.port)) }
    }

    @Test func theHandshakeOfTheRFC() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                let head = try await client.open("/ws")
                #expect(head.hasPrefix("HTTP/1.1 101 "))
                #expect(head.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
                #expect(!head.lowercased().contains("transfer-encoding"))
                #expect(!head.lowercased().contains("sec-websocket-protocol"))
            }
        }
    }

    @Test func messagesComeBack() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                for index in 0..<50 {
                    try await client.text("hällo \(index)")
                    #expect(try await client.next()?.text == "hällo \(index)")
                }
                try await client.write(
                    RawClient.frame(1, Array("frag".utf8), fin: false)
                        + RawClient.frame(0, Array("men".utf8), fin: false)
                        + RawClient.frame(9, Array("between".utf8)) + RawClient.frame(0, Array("ted".utf8)))
                #expect(try await client.next() == RawClient.Frame(opcode: 10, payload: Array("between".utf8)))
                #expect(try await client.next()?.text == "fragmented")
                for byte in RawClient.frame(1, Array("slowly".utf8)) { try await client.write([byte]) }
                #expect(try await client.next()?.text == "slowly")
                let big = [UInt8](repeating: 0x78, count: 30_000)
                for index in 0..<10 {
                    try await client.write(RawClient.frame(index == 0 ? 1 : 0, big, fin: index == 9))
                }
                #expect(try await client.next()?.payload.count == 300_000)
            }
        }
    }

    @Test func upgradeAfterOtherRequestsAndWithDataBehindIt() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                try await client.write("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.read(until: "Hello").contains("200 OK"))
                try await client.write("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nworld")
                #expect(try await client.read(until: "world").contains("200 OK"))
            }
            try await RawClient.connected(port: port) { client in
                try await client.write(Array(RawClient.handshake("/ws").utf8) + RawClient.frame(1, Array("early".utf8)))
                #expect(try await client.head().hasPrefix("HTTP/1.1 101 "))
                #expect(try await client.next()?.text == "early")
            }
        }
    }

    @Test func aBodyThatNobodyReadIsPassedOver() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                try await client.write("POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nworld")
                #expect(try await client.head().contains(" 404 "))
                try await client.write("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                #expect(try await client.read(until: "Hello").contains("200 OK"))
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func requestsSentAtOnceAreAnsweredInTurn() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                let unread = "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nworld"
                let read =
                    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "2\r\nec\r\n2\r\nho\r\n0\r\n\r\n"
                let last = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                try await client.write(unread + read + last)
                #expect(try await client.head().contains(" 404 "))
                let rest = try await client.read(until: "Hello")
                #expect(rest.firstRange(of: "echo").map { rest[$0.upperBound...].contains("Hello") } == true)
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func aClientThatEndsItsSideIsStillAnswered() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                try await client.write("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                client.finish()
                #expect(try await client.read(until: "Hello").contains("200 OK"))
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func whatIsNoHTTPIsRefused() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                try await client.write("\u{1}nonsense\r\n\r\n")
                #expect(try await client.head().contains(" 400 "))
                #expect(try await client.isClosed())
            }
        }
    }

    @Test(arguments: ["GET /hello", "GET /refused", "GET /nowhere", "GET /ws"])
    func otherOffersAreAnsweredAsHTTP(request: String) async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                try await client.write(
                    "\(request) HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                        + "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
                let head = try await client.head()
                #expect(head.hasPrefix("HTTP/1.1 ") && !head.hasPrefix("HTTP/1.1 101"))
                #expect(head.lowercased().contains("connection: close"))
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func aRefusedUpgradeIsAnAnswer() async throws {
        try await withServer { port in
            for (path, status) in [("/refused", "401"), ("/nowhere", "404"), ("/hello", "200")] {
                try await RawClient.connected(port: port) { client in
                    try await client.write(RawClient.handshake(path))
                    #expect(try await client.head().contains(" \(status) "))
                    #expect(try await client.isClosed())
                }
            }
            try await RawClient.connected(port: port) { client in
                try await client.write("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await client.head().contains(" 426 "))
            }
            try await RawClient.connected(port: port) { client in
                try await client.write(RawClient.handshake("/ws").replacing("Version: 13", with: "Version: 8"))
                #expect(try await client.head().contains(" 426 "))
            }
        }
    }

    @Test(
        arguments: [
            ("unmasked", RawClient.frame(1, [0x78], masked: false), 1002),
            ("reserved bit", RawClient.frame(1, [0x78], reserved: 0x40), 1002),
            ("unknown opcode", RawClient.frame(3, [0x78]), 1002),
            ("not UTF-8", RawClient.frame(1, [0xff, 0xfe]), 1007),
            ("a continuation of nothing", RawClient.frame(0, [0x78]), 1002),
            ("too large", RawClient.frame(1, [UInt8](repeating: 0x78, count: 70_000)), 1009),
            ("a fragmented ping", RawClient.frame(9, [0x78], fin: false), 1002),
            ("a long ping", RawClient.frame(9, [UInt8](repeating: 0x78, count: 126)), 1002),
            ("binary", RawClient.frame(2, [1, 2, 3]), 1003),
            ("a new message within one", RawClient.frame(1, [0x78], fin: false) + RawClient.frame(1, [0x78]), 1002),
            ("a forbidden close code", RawClient.frame(8, [0x03, 0xed]), 1002),
            ("half a close code", RawClient.frame(8, [0x03]), 1002),
        ] as [(String, [UInt8], Int)])
    func whatTheRFCForbids(name: String, bytes: [UInt8], code: Int) async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                try await client.write(bytes)
                #expect(try await client.next()?.code == code, "\(name)")
            }
        }
    }

    @Test func theSessionChoosesTheCloseCode() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                try await client.text("close 4401")
                let close = try await client.next()
                #expect(close?.code == 4401)
                #expect(close.map { String(decoding: $0.payload.dropFirst(2), as: UTF8.self) } == "as told")
                try await client.write(RawClient.frame(8, [0x11, 0x31]))
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func theClientCloses() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                try await client.write(RawClient.frame(8, [0x03, 0xe8] + Array("bye".utf8)))
                #expect(try await client.next()?.code == 1000)
                #expect(try await client.isClosed())
            }
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                client.finish()
                #expect(try await client.isClosed())
            }
        }
    }

    /// Whoever is only told is not waited for, may say what it likes, and is missed when it goes.
    @Test func aClientThatIsOnlyTold() async throws {
        let (sessions, ended) = AsyncStream<Void>.makeStream()
        try await withServer(ended: ended) { port in
            try await RawClient.connected(port: port) { client in
                let head = try await client.open("/told")
                #expect(head.hasPrefix("HTTP/1.1 101 ") && !head.lowercased().contains("ignored"))
                #expect(try await client.next()?.text == "told")
                for index in 0..<100 { try await client.text("chatter \(index)") }
                try await client.write(RawClient.frame(9, []))
                #expect(try await client.next()?.opcode == 10)
                try await client.write(RawClient.frame(8, [0x03, 0xe8]))
                #expect(try await client.next()?.code == 1000)
                #expect(try await client.isClosed())
            }
            for await _ in sessions { break }
        }
    }

    @Test func aSilentClientIsPingedAndThenCutOff() async throws {
        try await withServer(WebSocketConfiguration(pingInterval: .milliseconds(200))) { port in
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                #expect(try await client.next()?.opcode == 9)
                try await client.write(RawClient.frame(10, []))
                #expect(try await client.next()?.opcode == 9)
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func aClientThatDoesNotAnswerACloseIsCutOff() async throws {
        try await withServer(WebSocketConfiguration(closeTimeout: .milliseconds(200))) { port in
            try await RawClient.connected(port: port) { client in
                _ = try await client.open("/ws")
                try await client.text("close 4000")
                #expect(try await client.next()?.code == 4000)
                #expect(try await client.isClosed())
            }
        }
    }

    @Test func subprotocols() async throws {
        try await withServer { port in
            try await RawClient.connected(port: port) { client in
                try await client.write(
                    RawClient.handshake("/ws").replacing(
                        "Sec-WebSocket-Version",
                        with: "Sec-WebSocket-Protocol: bearer, abc.def\r\nSec-WebSocket-Version"))
                #expect(try await client.head().lowercased().contains("sec-websocket-protocol: bearer\r\n"))
            }
        }
    }
}
