public import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Keeps subscriptions to channels and patterns alive over one connection of its own: connects again when it breaks,
/// subscribes again, and says so. Channels come and go while it runs.
public final class RedisSubscriber: Service {
    public enum Event: Sendable, Hashable {
        /// From now on messages of this channel or pattern arrive; again after each reconnection.
        case subscribed(String)
        case message(channel: String, payload: [UInt8])
        /// Messages may have been missed on all channels.
        case lost(Loss)
    }

    public enum Loss: Sendable, Hashable {
        /// There is no connection, or it broke; each channel's `subscribed` follows when it is back.
        case disconnected
        /// The reader was too slow; the subscriptions stand.
        case overflow
    }

    private struct State {
        var channels: Set<String> = []
        var patterns: Set<String> = []
        var wire: Wire?
    }

    private static let longestDelay = 0.5

    private let configuration: Redis.Configuration
    private let logger: Logger
    private let queue: GapQueue<Event>
    private let state: NIOLockedValueBox<State>

    /// What happens, for one reader.
    public var events: GapQueue<Event> { queue }

    /// - Parameter buffer: How many events may wait for the reader; then they give way to `lost(.overflow)`.
    public init(
        _ configuration: Redis.Configuration, channels: Set<String> = [], patterns: Set<String> = [],
        buffer: Int = 8192, logger: Logger = Logger(label: "redis")
    ) {
        self.configuration = configuration
        self.logger = logger
        queue = GapQueue(capacity: buffer, gap: .lost(.overflow))
        state = NIOLockedValueBox(State(channels: channels, patterns: patterns))
    }

    public func subscribe(_ channel: String) {
        state.withLockedValue { state in
            if state.channels.insert(channel).inserted { state.wire?.sendUnanswered(["SUBSCRIBE", channel]) }
        }
    }

    public func unsubscribe(_ channel: String) {
        state.withLockedValue { state in
            if state.channels.remove(channel) != nil { state.wire?.sendUnanswered(["UNSUBSCRIBE", channel]) }
        }
    }

    /// A pattern as PSUBSCRIBE knows them; its messages carry the channel they were published on.
    public func subscribe(pattern: String) {
        state.withLockedValue { state in
            if state.patterns.insert(pattern).inserted { state.wire?.sendUnanswered(["PSUBSCRIBE", pattern]) }
        }
    }

    public func unsubscribe(pattern: String) {
        state.withLockedValue { state in
            if state.patterns.remove(pattern) != nil { state.wire?.sendUnanswered(["PUNSUBSCRIBE", pattern]) }
        }
    }

    /// Until graceful shutdown or cancellation; then `events` ends.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.stayConnected() }
        queue.finish()
    }

    private func stayConnected() async {
        var delay = 0.05
        var isAway = false
        while !Task.isCancelled {
            do {
                let wire = try await Wire.open(configuration, on: MultiThreadedEventLoopGroup.singleton.next()).get()
                delay = 0.05
                isAway = false
                throw await hold(wire)
            } catch {
                guard !Task.isCancelled else { return }
                if !isAway {
                    queue.append(.lost(.disconnected))
                    logger.warning("redis subscriptions lost", metadata: ["reason": "\(error)"])
                }
                isAway = true
            }
            try? await Task.sleep(for: .seconds(delay * .random(in: 0.5...1)))
            delay = min(delay * 2, Self.longestDelay)
        }
    }

    /// Returns when the connection has ended.
    private func hold(_ wire: Wire) async -> RedisError {
        await withTaskCancellationHandler {
            wire.takePushes { self.received($0) }
            state.withLockedValue { state in
                state.wire = wire
                for (command, names) in [("SUBSCRIBE", state.channels), ("PSUBSCRIBE", state.patterns)]
                where !names.isEmpty {
                    wire.sendUnanswered([command] + names.sorted())
                }
            }
            defer { state.withLockedValue { $0.wire = nil } }
            do { return try await wire.ended.get() } catch { return .connectionLost("\(error)") }
        } onCancel: {
            wire.close()
        }
    }

    /// What a subscriber is sent: `[kind, channel, …]` (Redis "Pub/Sub", format of pushed messages).
    private func received(_ value: RESPValue) {
        guard let parts = value.array, let kind = parts.first?.string else { return }
        switch (kind, parts.count) {
        case ("message", 3):
            guard let channel = parts[1].string, let payload = parts[2].bytes else { return }
            queue.append(.message(channel: channel, payload: payload))
        case ("pmessage", 4):
            guard let channel = parts[2].string, let payload = parts[3].bytes else { return }
            queue.append(.message(channel: channel, payload: payload))
        case ("subscribe", 3), ("psubscribe", 3):
            guard let name = parts[1].string else { return }
            let isWanted = state.withLockedValue { $0.channels.contains(name) || $0.patterns.contains(name) }
            if isWanted { queue.append(.subscribed(name)) }
        default: break  // unsubscribe, punsubscribe, pong
        }
    }
}
