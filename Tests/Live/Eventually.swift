import Testing

/// Asks again and again until the answer is yes; a failure when that takes longer than `limit`.
func eventually(
    within limit: Duration, _ what: Comment, isolation: isolated (any Actor)? = #isolation,
    sourceLocation: SourceLocation = #_sourceLocation, _ isSo: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    repeat {
        if try await isSo() { return }
        try await Task.sleep(for: .milliseconds(20))
    } while ContinuousClock.now < end
    Issue.record("not within \(limit): \(what)", sourceLocation: sourceLocation)
    throw Surprise("not within \(limit): \(what)")
}
