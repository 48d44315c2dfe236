import HummingbirdCore
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTPTypes

/// Lets the session of a WebSocket run where its memory is small.
///
/// A task keeps the memory of its deepest call for as long as it lives, and the way to a 101 (routes, authentication,
/// stores) is ten times as deep as a session that waits. So a task of its own goes that way and ends; what it leaves here
/// is run by the task of the connection, when the request and all that answered it are gone.
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

    /// Answers a request; one for a WebSocket by a task of its own.
    /// - Returns: What is left to be run, unless it was answered otherwise.
    static func answer(
        _ request: Request, _ outbound: NIOAsyncChannelOutboundWriter<HTTPResponsePart>, on channel: any Channel,
        by responder: @escaping HTTPChannelHandler.Responder
    ) async throws -> Session? {
        guard request.isWebSocketUpgrade else {
            try await responder(request, ResponseWriter(outbound: outbound), channel)
            return nil
        }
        let handover = SessionHandover(closed: channel.closeFuture)
        async let answered: Void = $current.withValue(handover) {
            try await responder(request, ResponseWriter(outbound: outbound), channel)
        }
        try await answered
        return handover.take()
    }
}
