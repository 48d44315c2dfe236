import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Puts the `PromptHandler` where it can answer in the terms of HTTP/1.1, before requests become Hummingbird's.
final class PromptInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never
    private let handler: PromptHandler

    init(_ handler: PromptHandler) { self.handler = handler }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(handler, position: .before(codec))
        } catch {
            // Without it everything is still answered, by the router.
            context.fireErrorCaught(error)
        }
        pipeline.removeHandler(self, promise: nil)
    }
}

/// Answers the requests of the `PromptRoute`s of a connection, and passes on all others untouched and in their order.
final class PromptHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// The longest body, in bytes.
    private static let maximumLength = 16_384
    /// What stands behind us closes a connection that it hears nothing of: at least this often it hears of one.
    private static let patience = TimeAmount.seconds(5)

    /// A request that may be ours: held back until it is complete.
    private struct Candidate {
        let route: PromptRoute
        let metrics: RouteMetrics?
        let head: HTTPRequestHead
        let length: Int
        var body: ByteBuffer?
    }

    private let routes: [(route: PromptRoute, metrics: RouteMetrics?)]
    private var candidate: Candidate?
    /// Requests passed on whose answers have not passed back yet.
    private var passedOn = 0
    private var lastPassedOn = NIODeadline.distantPast
    private var requests: UInt64 = 0
    private let prefix: String

    init(_ routes: [(route: PromptRoute, metrics: RouteMetrics?)]) {
        self.routes = routes
        prefix = String(UInt64.random(in: .min ... .max), radix: 16)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if let candidate = candidate(head) {
                self.candidate = candidate
            } else {
                pass(data, context)
            }
        case .body(let bytes):
            guard candidate != nil else { return context.fireChannelRead(data) }
            // No more than the announced length comes; the decoder sees to that.
            if candidate?.body == nil {
                candidate?.body = bytes
            } else {
                candidate?.body?.writeImmutableBuffer(bytes)
            }
        case .end:
            guard let candidate else { return context.fireChannelRead(data) }
            self.candidate = nil
            if !answer(candidate, context) {
                replay(candidate, context)
                context.fireChannelRead(data)
            }
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { passedOn -= 1 }
        context.write(data, promise: promise)
    }

    /// A request that was cut off is the router's to judge.
    func channelInactive(context: ChannelHandlerContext) {
        if let candidate {
            self.candidate = nil
            replay(candidate, context)
        }
        context.fireChannelInactive()
    }

    private func candidate(_ head: HTTPRequestHead) -> Candidate? {
        guard passedOn == 0, head.method == .POST, head.isKeepAlive,
            let (route, metrics) = routes.first(where: { $0.route.path == head.uri }),
            NIODeadline.now() - lastPassedOn < Self.patience, !head.headers.contains(name: "expect"),
            let length = head.headers.first(name: "content-length").flatMap({ Int($0) }),
            (1...Self.maximumLength).contains(length)
        else { return nil }
        return Candidate(route: route, metrics: metrics, head: head, length: length)
    }

    private func answer(_ candidate: Candidate, _ context: ChannelHandlerContext) -> Bool {
        let started = ContinuousClock.now
        guard let body = candidate.body,
            let answer = candidate.route.answer(PromptRequest(headers: candidate.head.headers, body: body))
        else { return false }
        let head = HTTPResponseHead(
            version: .http1_1, status: .ok,
            headers: [
                "Content-Type": "application/json", "Content-Length": String(answer.readableBytes),
                "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
                "X-Request-ID": requestID(candidate.head),
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(answer))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        candidate.metrics?.record(status: 200, started.duration(to: .now))
        return true
    }

    private func requestID(_ head: HTTPRequestHead) -> String {
        if let given = head.headers.first(name: "x-request-id"), RequestIdentifier.isSane(given) { return given }
        requests &+= 1
        return prefix + String(requests, radix: 16)
    }

    private func replay(_ candidate: Candidate, _ context: ChannelHandlerContext) {
        pass(wrapInboundOut(.head(candidate.head)), context)
        if let body = candidate.body { context.fireChannelRead(wrapInboundOut(.body(body))) }
    }

    /// Passes on the head of a request.
    private func pass(_ part: NIOAny, _ context: ChannelHandlerContext) {
        passedOn += 1
        lastPassedOn = .now()
        context.fireChannelRead(part)
    }
}
