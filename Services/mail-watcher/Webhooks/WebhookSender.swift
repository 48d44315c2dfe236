import HTTPService
import MailModel
import NIOCore
import NIOHTTP1

/// Makes one call of a webhook: to public addresses alone, without following redirects, in bounded time.
struct WebhookSender: Sendable {
    /// What became of a call.
    struct Outcome: Sendable, Equatable {
        /// Of HTTP; nil where there was no answer.
        var status: Int?
        /// A stable word; nil when it was taken.
        var error: String?

        var isTaken: Bool { error == nil }
        /// The receiver said that it is gone for good.
        var isGone: Bool { status == 410 }
    }

    let connector: PublicConnector
    let secrets: WebhookSecrets
    let timeout: Duration

    /// False when every address of the host is private. One that has no address now may have one later.
    func mayReach(_ url: PublicURL) async -> Bool {
        do {
            _ = try await connector.addresses(of: url, until: .now() + .seconds(2))
            return true
        } catch { return error as? PublicConnector.Refusal != .refused }
    }

    /// - Parameters:
    ///   - id: The same for each attempt, so that the receiver knows what it has already.
    ///   - secret: As it is kept.
    func send(_ body: [UInt8], id: String, to text: String, secret kept: String) async -> Outcome {
        guard let url = PublicURL(text) else { return Outcome(error: "malformed_url") }
        guard let secret = try? secrets.open(kept) else { return Outcome(error: "secret_unopenable") }
        let seconds = Timestamp.now() / 1000
        let headers: HTTPHeaders = [
            "host": url.authority, "user-agent": "xynap-mail webhooks", "content-type": "application/json",
            "content-length": "\(body.count)", "webhook-id": id, "webhook-timestamp": "\(seconds)",
            "webhook-signature": WebhookSignature.sign(body, id: id, seconds: seconds, secret: secret),
            "connection": "close",
        ]
        do {
            let status = try await post(body, headers, url, until: .now() + TimeAmount(timeout))
            switch status {
            case 200..<300: return Outcome(status: status)
            case 300..<400: return Outcome(status: status, error: "redirect")
            default: return Outcome(status: status, error: "refused_by_receiver")
            }
        } catch let refusal as PublicConnector.Refusal { return Outcome(error: Self.word(refusal)) } catch {
            return Outcome(error: "unreachable")
        }
    }

    private func post(
        _ body: [UInt8], _ headers: HTTPHeaders, _ url: PublicURL, until deadline: NIODeadline
    ) async throws -> Int {
        var failure: any Error = PublicConnector.Refusal.unreachable
        for address in try await connector.addresses(of: url, until: deadline).prefix(3) {
            do {
                return try await connector.exchange(with: url, at: address, until: deadline) { answer in
                    WebhookCallHandler(target: url.target, headers: headers, body: body, answer: answer)
                }
            } catch {
                failure = error
                guard error as? PublicConnector.Refusal == .unreachable, deadline > .now() else { break }
            }
        }
        throw failure
    }

    private static func word(_ refusal: PublicConnector.Refusal) -> String {
        switch refusal {
        case .timedOut: "timeout"
        case .refused: "private_address"
        case .unreachable: "unreachable"
        }
    }
}

/// Posts once, takes the status of the answer, and closes the connection; the answer's body is of no interest.
private final class WebhookCallHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let target: String
    private let headers: HTTPHeaders
    private let body: [UInt8]
    private let answer: EventLoopPromise<Int>

    init(target: String, headers: HTTPHeaders, body: [UInt8], answer: EventLoopPromise<Int>) {
        self.target = target
        self.headers = headers
        self.body = body
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        // However it ends, by the deadline too, the connection goes.
        let channel = context.channel
        answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), head.status.code >= 200 {
            answer.succeed(Int(head.status.code))
        }
    }

    func channelInactive(context: ChannelHandlerContext) { answer.fail(PublicConnector.Refusal.unreachable) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(PublicConnector.Refusal.unreachable)
        context.close(promise: nil)
    }
}
