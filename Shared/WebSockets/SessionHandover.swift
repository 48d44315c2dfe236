import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore

/// Lets the session of a WebSocket run where its memory is small.
///
/// A task keeps the memory of its deepest call for as long as it lives, and the way to a 101 (routes, authentication,
/// stores) is ten times as deep as a session that waits. So a task of its own goes that way and ends; what it leaves here
/// is run by the task of the connection.
final class SessionHandover: Sendable {
    typealias Session = @Sendable () async throws -> Void

    /// Of the answer that is being made; nil where nobody takes the session over.
    @TaskLocal static var current: SessionHandover?

    /// When the connection is closed.
    let closed: EventLoopFuture<Void>
    private let session = NIOLockedValueBox<Session?>(nil)

    private init(closed: EventLoopFuture<Void>) { self.closed = closed }

    func leave(_ session: @escaping Session) { self.session.withLockedValue { $0 = session } }

    private func take() -> Session? { session.withLockedValue { $0.take() } }

    /// `responder`, except that a request for a WebSocket is answered by a task of its own.
    static func around(_ responder: @escaping HTTPChannelHandler.Responder) -> HTTPChannelHandler.Responder {
        { request, writer, channel in
            guard request.isWebSocketUpgrade else { return try await responder(request, writer, channel) }
            try await answer(responder, request, LentWriter(writer), channel)?()
        }
    }

    /// A function of its own, whose frame is gone when the session runs: a child task needs the better part of a kilobyte
    /// there.
    /// - Returns: What is left to be run, unless it was answered otherwise.
    @inline(never) private static func answer(
        _ responder: @escaping HTTPChannelHandler.Responder, _ request: Request, _ writer: LentWriter,
        _ channel: any Channel
    ) async throws -> Session? {
        let handover = SessionHandover(closed: channel.closeFuture)
        async let answered: Void = $current.withValue(handover) {
            guard let writer = writer.take() else { return }
            try await responder(request, writer, channel)
        }
        try await answered
        return handover.take()
    }
}

/// A writer on its way to the one task that will use it; closures cannot hold it themselves.
///
/// `@unchecked Sendable`: who gave it waits for who takes it.
private final class LentWriter: @unchecked Sendable {
    private var writer: ResponseWriter?

    init(_ writer: consuming ResponseWriter) { self.writer = consume writer }

    func take() -> ResponseWriter? { writer.take() }
}
