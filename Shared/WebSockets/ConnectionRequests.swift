import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTPTypes

/// The requests of one connection, in turn.
///
/// `@unchecked Sendable`: NIO's iterator may not be used by two tasks at once. The task that answers a request has it for
/// the body; the task of the connection awaits that one before it asks for the next request. So they take turns, and each
/// await between them orders what they see.
final class ConnectionRequests: @unchecked Sendable {
    /// A part that HTTP does not have at this place.
    private struct UnexpectedPart: Error {}

    private let parts: NIOAsyncChannelInboundStream<HTTPRequestPart>.AsyncIterator
    private var isWithinBody = false

    init(_ inbound: NIOAsyncChannelInboundStream<HTTPRequestPart>) { parts = inbound.makeAsyncIterator() }

    /// - Returns: nil when the client sends no more.
    /// - Throws: What the channel throws, `HTTPParserError` for one.
    func next() async throws -> Request? {
        // What nobody read of the request before.
        while try await readBody() != nil {}
        guard let part = try await nextPart() else { return nil }
        guard case .head(let head) = part else { throw UnexpectedPart() }
        isWithinBody = true
        return Request(head: head, body: RequestBody(asyncSequence: Body(requests: self)))
    }

    /// Waits until the client has ended its side, whatever it still says.
    func drain() async throws {
        while try await nextPart() != nil {}
    }

    private func nextPart() async throws -> HTTPRequestPart? {
        // A copy goes on where the last one came to: all stand for one place in the stream.
        var parts = parts
        return try await parts.next()
    }

    private func readBody() async throws -> ByteBuffer? {
        guard isWithinBody else { return nil }
        switch try await nextPart() {
        case .body(let bytes): return bytes
        case .end, nil:
            isWithinBody = false
            return nil
        case .head: throw UnexpectedPart()
        }
    }

    private struct Body: AsyncSequence, Sendable {
        let requests: ConnectionRequests

        struct AsyncIterator: AsyncIteratorProtocol {
            let requests: ConnectionRequests

            func next() async throws -> ByteBuffer? { try await requests.readBody() }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(requests: requests) }
    }
}
