public import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Commands over one pipelined connection, which is made at the first command and made again when it breaks.
///
/// While the server is away commands fail at once with `RedisError.unavailable`; attempts to reach it go on in the
/// background, at most half a second apart. A frozen server is noticed within 3 s, also without commands.
public final class RedisClient: Sendable {
    private enum State {
        case idle
        case connecting(EventLoopFuture<Wire>)
        case connected(Wire)
        case away(RedisError)
        case closed
    }

    private static let firstDelay: TimeAmount = .milliseconds(50)
    private static let longestDelay: TimeAmount = .milliseconds(500)

    private let configuration: Redis.Configuration
    private let logger: Logger
    private let eventLoop: any EventLoop
    private let state = NIOLockedValueBox(State.idle)

    public init(_ configuration: Redis.Configuration, logger: Logger = Logger(label: "redis")) {
        self.configuration = configuration
        self.logger = logger
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    }

    /// Sends one command; commands of several tasks share round trips. Not for commands that block (BLPOP) or change
    /// the connection (SUBSCRIBE, MULTI). Throws `RedisError`.
    @discardableResult
    public func command(_ arguments: any RedisArgument...) async throws -> RESPValue {
        try Self.checked(try await wire().send(arguments).get())
    }

    /// Sends several commands in one round trip; others' commands may come between. Throws `RedisError`, also when one
    /// of them is refused.
    public func pipeline(_ commands: [[any RedisArgument]]) async throws -> [RESPValue] {
        try await wire().send(pipelined: commands).get().map(Self.checked)
    }

    /// Returns how many subscribers of this server heard it. Throws `RedisError`.
    @discardableResult
    public func publish(_ payload: some RedisArgument, to channel: String) async throws -> Int {
        Int(try await command("PUBLISH", channel, payload).integer ?? 0)
    }

    /// One round trip. Throws `RedisError`.
    public func ping() async throws { try await command("PING") }

    /// Ends the connection; commands that wait fail, and later ones throw `RedisError.closed`.
    public func close() async {
        let last = state.withLockedValue { state in
            defer { state = .closed }
            return state
        }
        guard case .connected(let wire) = last else { return }
        wire.close()
        _ = try? await wire.ended.get()
    }

    private static func checked(_ value: RESPValue) throws -> RESPValue {
        if case .error(let message) = value { throw RedisError.server(message) }
        return value
    }

    private func wire() async throws -> Wire {
        let (future, promise): (EventLoopFuture<Wire>, EventLoopPromise<Wire>?) = try state.withLockedValue { state in
            switch state {
            case .connected(let wire): return (eventLoop.makeSucceededFuture(wire), nil)
            case .connecting(let future): return (future, nil)
            case .away(let error): throw error
            case .closed: throw RedisError.closed
            case .idle:
                let promise = eventLoop.makePromise(of: Wire.self)
                state = .connecting(promise.futureResult)
                return (promise.futureResult, promise)
            }
        }
        if let promise { connect(telling: promise) }
        return try await future.get()
    }
}

extension RedisClient {
    /// The first attempt after the start or after a connection broke: commands wait for it.
    private func connect(telling promise: EventLoopPromise<Wire>) {
        Wire.open(configuration, on: eventLoop).whenComplete { result in
            switch result {
            case .success(let wire): self.connected(wire)
            case .failure(let error): self.wentAway(error)
            }
            promise.completeWith(result)
        }
    }

    private func connected(_ wire: Wire) {
        let isClosed = state.withLockedValue { state in
            if case .closed = state { return true }
            state = .connected(wire)
            return false
        }
        guard !isClosed else { return wire.close() }
        wire.ended.whenSuccess { self.lost($0) }
    }

    private func lost(_ reason: RedisError) {
        // A server that hangs accepts connections and does not answer: no use in waiting for one.
        guard reason != .timedOut else { return wentAway(reason) }
        let promise = eventLoop.makePromise(of: Wire.self)
        let isClosed = state.withLockedValue { state in
            if case .closed = state { return true }
            state = .connecting(promise.futureResult)
            return false
        }
        if isClosed { promise.fail(RedisError.closed) } else { connect(telling: promise) }
    }

    private func wentAway(_ error: any Error) {
        let reason = "\(error)"
        let isClosed = state.withLockedValue { state in
            if case .closed = state { return true }
            state = .away(.unavailable(reason))
            return false
        }
        guard !isClosed else { return }
        logger.warning("redis is away", metadata: ["reason": "\(reason)"])
        retry(after: Self.firstDelay)
    }

    private func retry(after delay: TimeAmount) {
        let jittered = TimeAmount.nanoseconds(.random(in: delay.nanoseconds / 2...delay.nanoseconds))
        eventLoop.scheduleTask(in: jittered) {
            if case .closed = self.state.withLockedValue({ $0 }) { return }
            Wire.open(self.configuration, on: self.eventLoop).whenComplete { result in
                switch result {
                case .success(let wire):
                    self.logger.info("redis is back")
                    self.connected(wire)
                case .failure: self.retry(after: min(delay * 2, Self.longestDelay))
                }
            }
        }
    }
}
