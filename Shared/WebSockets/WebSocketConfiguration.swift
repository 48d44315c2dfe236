/// The limits of a WebSocket and the times it waits.
public struct WebSocketConfiguration: Sendable {
    /// The largest frame taken from a client, in bytes; larger is answered with close code 1009.
    public var maximumFrameSize: Int
    /// The largest message, put together from fragments, in bytes.
    public var maximumMessageSize: Int
    /// How often the client is asked for a sign of life; one that gave none since the last time is cut off.
    public var pingInterval: Duration
    /// How long the client has for its part of the closing handshake.
    public var closeTimeout: Duration
    /// How long an idle HTTP connection on the same port is kept.
    public var idleTimeout: Duration

    public init(
        maximumFrameSize: Int = 1 << 16, maximumMessageSize: Int = 1 << 20, pingInterval: Duration = .seconds(30),
        closeTimeout: Duration = .seconds(5), idleTimeout: Duration = .seconds(75)
    ) {
        self.maximumFrameSize = maximumFrameSize
        self.maximumMessageSize = maximumMessageSize
        self.pingInterval = pingInterval
        self.closeTimeout = closeTimeout
        self.idleTimeout = idleTimeout
    }
}
