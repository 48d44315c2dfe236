import Redis

extension EventBus {
    /// Counts something that may happen so often in a while, over all replicas.
    ///
    /// - Parameters:
    ///   - name: What is counted.
    ///   - window: Begins with the first; the count starts anew after it.
    /// - Returns: How often it happened in this window, this time included.
    public func count(_ name: String, within window: Duration) async throws -> Int {
        try await mapped {
            let answer = try await redis.command("EVAL", Script.count, 1, "count.\(name)", window.milliseconds)
            return Int(answer.integer ?? 1)
        }
    }
}
