import EventBus
import Testing

/// What is counted against guessing.
@Suite struct AttemptTests {
    @Test func anAttemptThatWasNotDecidedIsTakenBack() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account(), source = Fixture.account()
            for _ in 0..<20 {
                #expect(try await bus.beginAttempt(account: account, source: source) == .zero)
                try await bus.withdrawAttempt(account: account, source: source)
            }
            for _ in 0..<AttemptDelay.pair.free + 1 {
                #expect(try await bus.beginAttempt(account: account, source: source) == .zero)
            }
            #expect(try await bus.beginAttempt(account: account, source: source) > .zero)
        }
    }

    @Test func theAttemptThatBeganAWaitTakesItBack() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account(), source = Fixture.account()
            for _ in 0..<AttemptDelay.pair.free + 1 { _ = try await bus.beginAttempt(account: account, source: source) }
            #expect(try await bus.beginAttempt(account: account, source: source) > .zero)
            try await bus.withdrawAttempt(account: account, source: source)
            #expect(try await bus.beginAttempt(account: account, source: source) == .zero)
        }
    }
}
