/// How long to wait before the next attempt: doubling from a quarter of a second, each with jitter, so that a thousand
/// mailboxes do not come back in the same moment.
struct Backoff: Sendable {
    private static let first = Duration.milliseconds(250)

    private var step = first

    /// Between half and all of the present step, which then doubles up to the limit.
    mutating func next(limit: Duration) -> Duration {
        let present = min(step, limit)
        step = min(step * 2, limit)
        return present * Double.random(in: 0.5...1)
    }

    mutating func reset() { step = Self.first }
}
