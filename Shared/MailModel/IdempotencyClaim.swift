/// The hold that one running call has on an idempotency key.
public struct IdempotencyClaim: Sendable, Equatable {
    /// Of caller, route and key: what the key is kept under.
    public let keyHash: String
    /// Random; who holds another one has taken the key over.
    public let token: Int64
    /// The id of what an earlier call with this key made, where that was noted with it: the call is then answered from
    /// that, and makes nothing.
    public let made: Int64?

    public init(keyHash: String, token: Int64, made: Int64? = nil) {
        self.keyHash = keyHash
        self.token = token
        self.made = made
    }

    public static let inProgress = Failure(
        .conflict, code: "idempotency_in_progress", "A call with this Idempotency-Key is still running; try again.",
        retryAfter: .seconds(1))

    public static let reused = Failure(
        .invalid, code: "idempotency_key_reused", "This Idempotency-Key was used for another request.")
}
