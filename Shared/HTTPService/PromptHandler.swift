import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Puts the `PromptHandler` before what reads HTTP, and its eye on the answers behind that.
final class PromptInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never
    private let handler: PromptHandler

    init(_ handler: PromptHandler) { self.handler = handler }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        do {
            let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(PromptHandler.Answers(of: handler), position: .before(codec))
            try pipeline.addHandler(handler, position: .before(encoder))
        } catch {
            // Without it everything is still answered, by the router.
            context.fireErrorCaught(error)
        }
        pipeline.removeHandler(self, promise: nil)
    }
}

/// Answers the requests of the `PromptRoute`s of a connection from its bytes, and passes on all others untouched and in
/// their order.
///
/// What it passes on is one whole request, whose answer it waits for, or bytes that it cannot tell the end of: from then
/// on the connection is the router's.
final class PromptHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// The next byte begins a request, or follows what is held of one.
        case ready
        /// A whole request was passed on, and is not answered yet.
        case waiting
        /// The connection is the router's.
        case passing
    }

    /// What stands behind us closes a connection that it hears nothing of: at least this often it hears of one.
    private static let patience = TimeAmount.seconds(5)

    private let routes: [(route: PromptRoute, metrics: RouteMetrics?)]
    private var parser: PromptParser
    private var state = State.ready
    /// The beginning of a request.
    private var held: ByteBuffer?
    private var lastPassedOn = NIODeadline.distantPast
    private var requests: UInt64 = 0
    private let prefix: String

    init(_ routes: [(route: PromptRoute, metrics: RouteMetrics?)]) {
        self.routes = routes
        parser = PromptParser(paths: routes.map(\.route.path), headers: routes.flatMap(\.route.headers))
        prefix = String(UInt64.random(in: .min ... .max), radix: 16)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .ready: break
        case .waiting:
            // It does not wait for the answer: where its requests end is for the real parser to say.
            state = .passing
            return context.fireChannelRead(data)
        case .passing: return context.fireChannelRead(data)
        }
        var bytes = unwrapInboundIn(data)
        if var held {
            held.writeImmutableBuffer(bytes)
            bytes = held
            self.held = nil
        }
        let (outcome, answer) = bytes.withUnsafeReadableBytes { read($0) }
        switch outcome {
        case .incomplete: held = bytes
        case .other: pass(bytes, context, then: .passing)
        case .request:
            guard let answer else { return pass(bytes, context, then: .waiting) }
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }
    }

    /// A request that was cut off is the router's to judge.
    func channelInactive(context: ChannelHandlerContext) {
        passHeld(context)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { passHeld(context) }
        context.fireUserInboundEventTriggered(event)
    }

    private func passHeld(_ context: ChannelHandlerContext) {
        if let held { pass(held, context, then: .passing) }
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext, then next: State) {
        held = nil
        state = next
        lastPassedOn = .now()
        context.fireChannelRead(wrapInboundOut(bytes))
    }

    /// What the bytes are, and the answer when they are a request that has one.
    private func read(_ bytes: UnsafeRawBufferPointer) -> (outcome: PromptParser.Outcome, answer: ByteBuffer?) {
        let outcome = parser.read(bytes)
        guard case .request(let index, let body) = outcome, NIODeadline.now() - lastPassedOn < Self.patience else {
            return (outcome, nil)
        }
        let started = ContinuousClock.now
        let (route, metrics) = routes[index]
        let request = PromptRequest(bytes: bytes, names: parser.names, values: parser.values, body: body)
        guard let json = route.answer(request) else { return (outcome, nil) }
        let answer = response(json, requestID: parser.value(of: "x-request-id", in: bytes))
        metrics?.record(status: 200, started.duration(to: .now))
        return (outcome, answer)
    }

    private func response(_ json: ByteBuffer, requestID given: UnsafeRawBufferPointer?) -> ByteBuffer {
        var response = ByteBufferAllocator().buffer(capacity: json.readableBytes + 256)
        response.writeStaticString(
            """
            HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
            X-Content-Type-Options: nosniff\r\nContent-Length: 
            """)
        response.writeString(String(json.readableBytes))
        response.writeStaticString("\r\nX-Request-ID: ")
        if let given, RequestIdentifier.isSane(given) {
            response.writeBytes(given)
        } else {
            requests &+= 1
            response.writeString(prefix + String(requests, radix: 16))
        }
        response.writeStaticString("\r\n\r\n")
        response.writeImmutableBuffer(json)
        return response
    }

    /// Sees the answers to what was passed on.
    final class Answers: ChannelOutboundHandler, RemovableChannelHandler {
        typealias OutboundIn = HTTPServerResponsePart
        typealias OutboundOut = HTTPServerResponsePart
        private let handler: PromptHandler

        init(of handler: PromptHandler) { self.handler = handler }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if case .waiting = handler.state {
                switch unwrapOutboundIn(data) {
                case .end: handler.state = .ready
                case .head, .body: break
                }
            }
            context.write(data, promise: promise)
        }
    }
}
