import Redis

extension EventBus {
    /// Counts an amount of something that may be so much in a while, over all replicas, unless it would be too much.
    ///
    /// - Parameters:
    ///   - name: What is counted.
    ///   - window: Begins with the first; the count starts anew after it.
    /// - Returns: nil when it was counted; else how long until the count starts anew.
    public func admit(_ name: String, _ amount: Int, upTo limit: Int, within window: Duration) async throws -> Duration?
    {
        try await mapped {
            let answer = try await redis.command(
                "EVAL", Script.admit, 1, "count.\(name)", amount, limit, window.milliseconds)
            let wait = answer.integer ?? 0
            return wait < 0 ? nil : .milliseconds(wait)
        }
    }
}
