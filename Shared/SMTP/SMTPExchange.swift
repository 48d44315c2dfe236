import NIOCore

/// The wire: writes commands, and hands each waiting caller its replies. Lives on its channel's event loop.
final class SMTPExchange: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiting {
        let stage: SMTPError.Stage
        let count: Int
        var replies: [SMTPReply] = []
        let promise: EventLoopPromise<[SMTPReply]>
        let timeout: Scheduled<Void>
    }

    private var parser = SMTPReplyParser()
    private var waiting: Waiting?
    private var failure: SMTPError?
    /// A reply nobody asked for: the greeting before its caller came, or 421 before the server closes.
    private var early: [SMTPReply] = []

    /// Writes `bytes` and waits for `count` replies.
    func exchange(
        _ bytes: ByteBuffer?, stage: SMTPError.Stage, count: Int, timeout: TimeAmount, channel: any Channel
    ) -> EventLoopFuture<[SMTPReply]> {
        let promise = channel.eventLoop.makePromise(of: [SMTPReply].self)
        guard failure == nil, waiting == nil else {
            promise.fail(failure.map { Self.at(stage, $0) } ?? SMTPError.busy)
            return promise.futureResult
        }
        let scheduled = channel.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.fail(.timeout(stage))
            channel.close(promise: nil)
        }
        waiting = Waiting(stage: stage, count: count, promise: promise, timeout: scheduled)
        let replies = early
        early = []
        deliver(replies)
        if let bytes, failure == nil { channel.writeAndFlush(bytes, promise: nil) }
        return promise.futureResult
    }

    /// Whether the server has said more than it was asked: after the reply to STARTTLS that would be text injected
    /// before the encryption (RFC 3207 §4.2).
    var hasUnreadInput: Bool { parser.isInsideReply || !early.isEmpty }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            deliver(try parser.feed(unwrapInboundIn(data).readableBytesView))
        } catch {
            fail(error)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.closed(waiting?.stage ?? .connect))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail((error as? SMTPError) ?? .tls(String(describing: error)))
        context.close(promise: nil)
    }

    private func deliver(_ replies: [SMTPReply]) {
        for reply in replies {
            guard waiting != nil else {
                guard early.count < 2 else { return fail(.protocolViolation("replies without a command")) }
                early.append(reply)
                continue
            }
            waiting?.replies.append(reply)
            guard let done = waiting, done.replies.count == done.count else { continue }
            waiting = nil
            done.timeout.cancel()
            done.promise.succeed(done.replies)
        }
    }

    private func fail(_ error: SMTPError) {
        if failure == nil { failure = error }
        guard let pending = waiting else { return }
        waiting = nil
        pending.timeout.cancel()
        // A server that goes away says so first (421, RFC 5321 §3.8), in place of the replies still due.
        if case .closed = error, let last = pending.replies.last, last.code == 421 {
            pending.promise.fail(SMTPError.refused(pending.stage, last, recipients: []))
        } else {
            pending.promise.fail(error)
        }
    }

    private static func at(_ stage: SMTPError.Stage, _ error: SMTPError) -> SMTPError {
        if case .closed = error { return .closed(stage) }
        return error
    }
}
