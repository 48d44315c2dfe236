/// Why a command has no answer.
public enum RedisError: Error, Sendable, Equatable {
    case invalidURL(String)
    /// The server's own error (`WRONGTYPE …`): the command was refused.
    case server(String)
    /// No connection could be had: the command was not sent.
    case unavailable(String)
    /// The connection broke while the command waited for its answer: whether it was done is unknown.
    case connectionLost(String)
    /// No answer within the time-out: whether the command was done is unknown.
    case timedOut
    /// Too many commands wait already: this one was not sent.
    case overloaded
    /// `RedisClient.close()` was called.
    case closed
    /// The server sent what is no RESP, or something that was not asked for.
    case protocolViolation(String)

    /// The server cannot be reached or did not answer in time; it may help to try again later.
    public var isUnavailable: Bool {
        switch self {
        case .unavailable, .connectionLost, .timedOut, .overloaded, .closed, .protocolViolation: true
        case .server(let message): ["LOADING", "MASTERDOWN", "READONLY"].contains { message.hasPrefix($0) }
        case .invalidURL: false
        }
    }
}
