import FoundationEssentials
import HTTPService
import HTTPTypes
import Hummingbird
import MailModel
import NIOCore
import WebSockets

/// The events of mailboxes: as a WebSocket, or as Server-Sent Events.
struct EventRoutes: Sendable {
    let audience: Audience
    let tickets: Tickets
    let streams: EventStreams

    func add(to router: ServiceRouter) {
        router.get("/api/v1/mail/events", use: webSocket)
        router.get("/api/v1/mail/events/stream", use: serverSentEvents)
        router.post("/api/v1/mail/events/ticket", use: ticket)
    }

    @Sendable private func webSocket(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let subscriber = try await audience.subscriber(for: request)
        let since = try Since(request.query().all("since"))
        let protocols = request.webSocketProtocols
        let chosen = protocols.first { $0.lowercased() == "bearer" }
        guard request.isWebSocketUpgrade else {
            throw HTTPError(
                .upgradeRequired, headers: [.upgrade: "websocket", .secWebSocketVersion: "13"],
                message: "This is a WebSocket (RFC 6455); Server-Sent Events are at /api/v1/mail/events/stream.")
        }
        let stream = try await streams.open(subscriber, on: context.channel, wantsBeats: false)
        return .webSocket(request, subprotocol: chosen) { outbound in
            outbound.whenGone { stream.listener.end(.left) }
            try await stream.serve(since: since) { item in
                switch item {
                case .event(let event): try await outbound.send(EventJSON.buffer(event))
                case .beat: break  // None comes: the socket pings by itself.
                case .end(let end):
                    if end == .revoked, let farewell = stream.listener.farewell {
                        try await outbound.send(EventJSON.buffer(farewell))
                    }
                    outbound.closeWhenDone(end.close)
                }
            }
        }
    }

    /// https://html.spec.whatwg.org/multipage/server-sent-events.html
    @Sendable private func serverSentEvents(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let subscriber = try await audience.subscriber(for: request)
        let query = try request.query()
        let last = request.headers[.lastEventID] ?? query["last_event_id"] ?? query["Last-Event-ID"]
        let since = try Since(last.map { [$0] } ?? query.all("since"))
        let stream = try await streams.open(subscriber, on: context.channel, wantsBeats: true)
        let body = ResponseBody { writer in
            // Shows the client at once that the stream is open.
            try await writer.write(ByteBuffer(string: "retry: 2000\n\n"))
            try await stream.serve(since: since) { item in
                switch item {
                case .event(let event): try await writer.write(EventJSON.serverSent(event))
                case .beat: try await writer.write(ByteBuffer(string: ": alive\n\n"))
                case .end(let end):
                    if end == .revoked, let farewell = stream.listener.farewell {
                        try await writer.write(EventJSON.serverSent(farewell))
                    }
                }
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"], body: body)
    }

    private struct Ticket: Encodable {
        let ticket: String
        let expires_in: Int64
    }

    @Sendable private func ticket(_ request: Request, _ context: ServiceContext) async throws -> Response {
        let identity = try await audience.identity(of: request)
        try identity.caller.require("mail:read")
        let ticket = Ticket(
            ticket: try await tickets.issue(for: identity), expires_in: Tickets.life.components.seconds)
        return try .json(ticket, status: .created)
    }
}

extension Listener.End {
    /// 4401 as in "401": the credentials no longer count.
    fileprivate var close: WebSocketClose {
        switch self {
        case .revoked: WebSocketClose(code: 4401, reason: "session_revoked")
        case .expired: WebSocketClose(code: 4401, reason: "token_expired")
        case .shutdown: .goingAway
        case .left: .normal
        }
    }
}

extension HTTPField.Name {
    // Both are valid field names, spelled out here.
    fileprivate static let lastEventID = HTTPField.Name("last-event-id")!
    fileprivate static let accelBuffering = HTTPField.Name("x-accel-buffering")!
}
