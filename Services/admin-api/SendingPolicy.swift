import EventBus
import Logging
import MailModel
import NIOCore
import NIOPosix
import Platform
import Storage

/// Says to Postfix whether a mailbox may send to so many more recipients in this hour (Postfix "SMTP Access Policy
/// Delegation"). It counts in Redis, over all replicas; when it cannot find out, the mail may pass.
struct SendingPolicy: Sendable {
    let platform: Platform
    /// Recipients an hour of a mailbox without a limit of its own; 0 for none.
    let defaultLimit: Int
    let host: String
    /// 0: nobody asks.
    let port: Int
    let logger: Logger

    func run() async throws {
        guard port > 0 else { return }
        while !Task.isCancelled {
            do { try await serve() } catch is CancellationError { return } catch {
                // Another replica on this machine may have the port; when it ends, this one answers.
                logger.warning("Postfix cannot ask here", metadata: ["port": "\(port)", "error": "\(error)"])
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func serve() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PolicyConnection { await answer($0) })
                }
            }
            .bind(host: host, port: port).get()
        try await withTaskCancellationHandler {
            try await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    /// - Parameter attributes: `sasl_username`, `recipient_count`, …
    /// - Returns: The action.
    func answer(_ attributes: [String: String]) async -> String {
        guard let email = attributes["sasl_username"]?.lowercased(), !email.isEmpty,
            let recipients = attributes["recipient_count"].flatMap({ Int($0) }), recipients > 0
        else { return "DUNNO" }
        do {
            let own = try await platform.database.accounts.sendLimit(email: email)
            let limit = own ?? defaultLimit
            guard own != nil || limit > 0 else { return "DUNNO" }
            let wait = try await platform.bus.admit("send.\(email)", recipients, upTo: limit, within: .seconds(3600))
            guard let wait else { return "DUNNO" }
            let minutes = max(1, wait.components.seconds / 60)
            return "450 4.7.1 At most \(limit) recipients an hour may be sent to; try again in \(minutes) minutes"
        } catch {
            logger.warning("Sending limit not known, mail passes", metadata: ["error": "\(error)"])
            return "DUNNO"
        }
    }
}

/// One connection of Postfix: requests of lines `name=value`, each ended by an empty line, answered in order.
private final class PolicyConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Of one request: bytes.
    private static let longest = 65_536

    private let answer: @Sendable ([String: String]) async -> String
    private var buffer = ByteBuffer()
    private var isAnswering = false

    init(_ answer: @escaping @Sendable ([String: String]) async -> String) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        buffer.writeBuffer(&bytes)
        guard buffer.readableBytes <= Self.longest else { return context.close(promise: nil) }
        answerNext(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answerNext(_ context: ChannelHandlerContext) {
        guard !isAnswering, let request = nextRequest() else { return }
        isAnswering = true
        let promise = context.eventLoop.makePromise(of: String.self)
        promise.completeWithTask { [answer] in await answer(request) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess { action in
            let (handler, context) = bound.value
            handler.isAnswering = false
            context.writeAndFlush(handler.wrapOutboundOut(ByteBuffer(string: "action=\(action)\n\n")), promise: nil)
            handler.answerNext(context)
        }
    }

    private func nextRequest() -> [String: String]? {
        let view = buffer.readableBytesView
        guard let end = zip(view, view.dropFirst()).enumerated().first(where: { $1.0 == 0x0a && $1.1 == 0x0a })?.offset
        else { return nil }
        let text = String(buffer: buffer.readSlice(length: end + 2) ?? ByteBuffer())
        return text.split(separator: "\n").reduce(into: [:]) { attributes, line in
            let pair = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { attributes[String(pair[0])] = String(pair[1]) }
        }
    }
}
