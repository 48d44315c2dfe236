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
        /// A whole request is being answered.
        case thinking
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
    /// The beginning of a request, or what came while one is being answered.
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
        case .ready: receive(unwrapInboundIn(data), context)
        case .thinking: hold(unwrapInboundIn(data))
        case .waiting:
            // It does not wait for the answer: where its requests end is for the real parser to say.
            state = .passing
            context.fireChannelRead(data)
        case .passing: context.fireChannelRead(data)
        }
    }

    private func receive(_ new: ByteBuffer, _ context: ChannelHandlerContext) {
        hold(new)
        guard let bytes = held else { return }
        let outcome = bytes.withUnsafeReadableBytes { read($0) }
        switch outcome {
        case .incomplete: break
        case .other: pass(bytes, context, then: .passing)
        case .request(let asked, .json(let json)):
            held = nil
            write(json, asked, context)
        case .request(let asked, .soon(let work)):
            held = nil
            think(work, asked, bytes, context)
        case .request(_, .leave): pass(bytes, context, then: .waiting)
        }
    }

    private func hold(_ bytes: ByteBuffer) {
        if held == nil { held = bytes } else { held?.writeImmutableBuffer(bytes) }
    }

    private func think(
        _ work: @escaping @Sendable () async -> ByteBuffer?, _ asked: Asked, _ bytes: ByteBuffer,
        _ context: ChannelHandlerContext
    ) {
        state = .thinking
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        // It ends by itself, soon; a connection that ends meanwhile is not waited for.
        Task(executorPreference: LoopExecutor(context.eventLoop)) {
            let json = await work()
            bound.eventLoop.execute { bound.value.handler.finish(json, asked, bytes, bound.value.context) }
        }
    }

    private func finish(_ json: ByteBuffer?, _ asked: Asked, _ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard state == .thinking, context.channel.isActive else { return }
        let next = held
        held = nil
        state = .ready
        if let json {
            write(json, asked, context)
        } else {
            pass(bytes, context, then: .waiting)
            // What stands behind us reads what came when it is told that no more comes now.
            context.fireChannelReadComplete()
        }
        if let next {
            channelRead(context: context, data: wrapInboundOut(next))
            context.fireChannelReadComplete()
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
        if let held, state == .ready { pass(held, context, then: .passing) }
    }

    private func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext, then next: State) {
        held = nil
        state = next
        lastPassedOn = .now()
        context.fireChannelRead(wrapInboundOut(bytes))
    }

    /// What is needed to answer a request when its bytes are gone.
    private struct Asked {
        let route: Int
        let requestID: String?
        let at: ContinuousClock.Instant
    }

    private enum Outcome {
        case request(Asked, PromptAnswer)
        case incomplete
        case other
    }

    private func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        switch parser.read(bytes) {
        case .incomplete: return .incomplete
        case .other: return .other
        case .request(let route, let body):
            let given = parser.value(of: "x-request-id", in: bytes)
            let asked = Asked(
                route: route,
                requestID: given.flatMap {
                    RequestIdentifier.isSane($0) ? String(decoding: $0, as: UTF8.self) : nil
                }, at: .now)
            guard NIODeadline.now() - lastPassedOn < Self.patience else { return .request(asked, .leave) }
            let request = PromptRequest(bytes: bytes, names: parser.names, values: parser.values, body: body)
            return .request(asked, routes[route].route.answer(request))
        }
    }

    private func write(_ json: ByteBuffer, _ asked: Asked, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(response(json, requestID: asked.requestID)), promise: nil)
        routes[asked.route].metrics?.record(status: 200, asked.at.duration(to: .now))
    }

    private func response(_ json: ByteBuffer, requestID given: String?) -> ByteBuffer {
        var response = ByteBufferAllocator().buffer(capacity: json.readableBytes + 256)
        response.writeStaticString(
            """
            HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
            X-Content-Type-Options: nosniff\r\nContent-Length: 
            """)
        response.writeString(String(json.readableBytes))
        response.writeStaticString("\r\nX-Request-ID: ")
        if let given {
            response.writeString(given)
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
