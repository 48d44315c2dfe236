import FoundationEssentials
import Hummingbird
import MailModel
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import HTTPService

/// What reads bytes of strangers, against mutilated ones: the same in every run.
@Suite struct MutationTests {
    /// The quick way to a form's field and the thorough one must never disagree: a token that one of them sees and the
    /// other does not would count or not by chance.
    @Test func theQuickWayToAFieldFindsWhatTheThoroughOneDoes() throws {
        var random = SeededGenerator(seed: 1)
        let pieces: [[UInt8]] =
            ["token", "token=", "tokens=", "tok", "=", "&", "&&", "&token=abc", "a.b.c", "%", "%41", "%74oken=x", "+"]
            .map { Array($0.utf8) } + [
                [0], [0xff], [0xc3, 0xa9], [0xcc, 0x81], [0xe2, 0x82], [0x26, 0xcc, 0x81], [0x3d],
            ]
        var quick = 0
        for _ in 0..<20_000 {
            var body: [UInt8] = []
            for _ in 0..<Int.random(in: 0...7, using: &random) {
                body += pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }
            guard let found = Self.promptField(of: body) else { continue }
            quick += 1
            let fields = try FormFields(String(decoding: body, as: UTF8.self))
            #expect(fields.all("token") == [found], "\(body)")
        }
        #expect(quick > 1000, "else this tests nothing")
    }

    /// The field `token` as a prompt route sees it.
    private static func promptField(
        of body: [UInt8], _ type: String = "application/x-www-form-urlencoded"
    ) -> String? {
        let head = Array(type.utf8)
        return (head + body).withUnsafeBytes { bytes in
            PromptRequest(
                bytes: bytes, names: ["content-type"], values: [0..<head.count], body: head.count..<bytes.count
            ).formField("token")
        }
    }

    @Test func theQuickWayIsForFormsOfAFewFields() {
        func find(_ body: String, _ type: String = "application/x-www-form-urlencoded") -> String? {
            Self.promptField(of: Array(body.utf8), type)
        }
        #expect(find("a=b&token=c&d") == "c" && find("token=") == "" && find("token") == "")
        #expect(find("token=c", "application/x-www-form-urlencoded; charset=utf-8") == "c")
        for type in ["application/json", "application/x-www-form-urlencodedx", "Application/X-WWW-Form-Urlencoded", ""]
        {
            #expect(find("token=c", type) == nil)
        }
        for body in ["token=a&token=b", "token&token=b", "token=a&x=%zz", "tokens=a", "", "token=a+b"] {
            #expect(find(body) == nil, "\(body)")
        }
        #expect(find(String(repeating: "a&", count: 200) + "token=c") == nil)
    }

    @Test func mutilatedFormsAreReadOrRefused() {
        var random = SeededGenerator(seed: 2)
        let seed = Array("grant_type=authorization_code&code=xc_%C3%A9%20a+b&empty=&bare&k=v=w".utf8)
        for _ in 0..<10_000 {
            let text = String(decoding: random.mutation(of: seed), as: UTF8.self)
            do {
                let fields = try FormFields(text)
                // A field is a name and what follows it: none is made up.
                #expect(fields.all("code").count <= 2)
            } catch { #expect((error as? Failure)?.code == "malformed_form") }
        }
        #expect(throws: Failure.self) { try FormFields(String(repeating: "a&", count: 2000)) }
    }

    /// UAX #29 joins them to one character; RFC 1866 knows only bytes.
    @Test func accentsOnSeparatorsHideNothing() throws {
        let fields = try FormFields("a=1&\u{301}b=2&token=\u{301}c")
        #expect(fields["a"] == "1" && fields["\u{301}b"] == "2" && fields["token"] == "\u{301}c")
    }

    @Test func onlyTheCredentialItselfMatches() {
        var random = SeededGenerator(seed: 3)
        let credential = BasicCredential("dovecot:secret")
        let good = "Basic " + Data("dovecot:secret".utf8).base64EncodedString()
        #expect(credential.matches(authorization: good))
        for _ in 0..<5000 {
            let text = String(decoding: random.mutation(of: Array(good.utf8)), as: UTF8.self)
            guard credential.matches(authorization: text) else { continue }
            let encoded = text.split(separator: " ").last.map(String.init) ?? ""
            #expect(Data(base64Encoded: encoded) == Data("dovecot:secret".utf8), "\(text)")
        }
    }

    /// However requests are cut, mutilated and sent one behind the other: each that is a request is answered once, in
    /// order, whether promptly or by the router.
    @Test func promptAnswersKeepTheOrderOfTheConnection() throws {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<1500 {
            var bytes: [UInt8] = []
            for number in 0..<Int.random(in: 1...4, using: &random) {
                let body = ["token=abc", "token=%41", "other=1", ""][Int.random(in: 0..<4, using: &random)]
                let path = Bool.random(using: &random) ? "/prompt" : "/other"
                let close = Int.random(in: 0..<12, using: &random) == 0 ? "Connection: close\r\n" : ""
                bytes += Array(
                    """
                    POST \(path) HTTP/1.1\r\nHost: a\r\n\(close)X-Request-ID: r\(number)\r\n\
                    Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)
                    """.utf8)
            }
            if Bool.random(using: &random) { bytes = random.mutation(of: bytes) }
            let cuts = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                Int.random(in: 0...bytes.count, using: &random)
            }
            let (with, without) = (
                try Self.answers(bytes, cuts: cuts, prompt: true), try Self.answers(bytes, cuts: cuts, prompt: false)
            )
            #expect(with == without, "\(String(decoding: bytes, as: UTF8.self)) \(cuts)")
        }
    }

    /// The ids of the requests answered on one connection, in order.
    private static func answers(_ bytes: [UInt8], cuts: [Int], prompt: Bool) throws -> [String] {
        let channel = EmbeddedChannel()
        let pipeline = channel.pipeline.syncOperations
        let route = PromptRoute("/prompt") { request in
            request.formField("token").map { .json(ByteBuffer(string: #"{"token":"\#($0)"}"#)) } ?? .leave
        }
        let handler = PromptHandler([(route, nil)])
        if prompt { try pipeline.addHandler(handler) }
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
        if prompt { try pipeline.addHandler(PromptHandler.Answers(of: handler)) }
        try pipeline.addHandler(AnswersAll())
        var start = 0
        for cut in cuts.sorted() + [bytes.count] {
            // What cannot be parsed is an error here, as it is on a real connection.
            do { try channel.writeInbound(ByteBuffer(bytes: bytes[start..<cut])) } catch { break }
            start = cut
        }
        var output = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) { output += String(buffer: part) }
        _ = try? channel.finish()
        return output.split(separator: "\r\n").compactMap { line in
            guard line.lowercased().hasPrefix("x-request-id: ") else { return nil }
            let id = line.dropFirst("x-request-id: ".count)
            return id.wholeMatch(of: /r[0-9]/) == nil ? "?" : String(id)
        }
    }
}

/// Stands where the router is.
final class AnswersAll: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    private var id = ""

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): id = head.headers.first(name: "x-request-id") ?? "none"
        case .body: break
        case .end:
            let head = HTTPResponseHead(
                version: .http1_1, status: .ok, headers: ["X-Request-ID": id, "Content-Length": "0"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
