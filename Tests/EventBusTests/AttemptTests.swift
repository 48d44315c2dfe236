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

    @Test func aPairIsHeldBackAfterFive() async throws {
        try await Fixture.with { (bus: EventBus) async throws in
            let (account, source) = (Fixture.account(), Fixture.account())
            for _ in 0..<6 { #expect(try await bus.beginAttempt(account: account, source: source) == .zero) }
            #expect(try await bus.beginAttempt(account: account, source: source) > .zero)
            try await bus.endAttempt(account: account, source: source)
            #expect(try await bus.beginAttempt(account: account, source: source) == .zero, "forgiven")
        }
    }

    @Test func aSourceThatTriesManyAccountsIsHeldBack() async throws {
        try await Fixture.with { (bus: EventBus) async throws in
            let source = Fixture.account()
            for _ in 0..<51 { #expect(try await bus.beginAttempt(account: Fixture.account(), source: source) == .zero) }
            #expect(try await bus.beginAttempt(account: Fixture.account(), source: source) > .zero)
            #expect(try await bus.beginAttempt(account: Fixture.account(), source: Fixture.account()) == .zero)
        }
    }

    @Test func anAccountThatManyTryIsHeldBackButNotForItsOwner() async throws {
        try await Fixture.with { (bus: EventBus) async throws in
            let (account, home) = (Fixture.account(), Fixture.account())
            #expect(try await bus.beginAttempt(account: account, source: home) == .zero)
            try await bus.endAttempt(account: account, source: home)
            for _ in 0..<51 {
                #expect(try await bus.beginAttempt(account: account, source: Fixture.account()) == .zero)
            }
            #expect(try await bus.beginAttempt(account: account, source: Fixture.account()) > .zero)
            #expect(try await bus.beginAttempt(account: account, source: home) == .zero, "where its owner has been")
        }
    }
}
