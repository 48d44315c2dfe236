import Testing

@testable import AdminAPI

@Suite(.timeLimit(.minutes(1))) struct GoAheadTests {
    private struct Broken: Error {}

    @Test func whoWaitsGoesOnWhenTheWorkIsDone() async throws {
        let goAhead = GoAhead()
        async let first: Void = goAhead.wait()
        async let second: Void = goAhead.wait()
        let value = try await goAhead.after {
            try await Task.sleep(for: .milliseconds(20))
            return goAhead.isGiven ? 0 : 7
        }
        try await first
        try await second
        // And whoever comes later.
        try await goAhead.wait()
        #expect(value == 7)
        #expect(goAhead.isGiven)
    }

    @Test func whoWaitsIsRefusedWhenTheWorkFails() async throws {
        let goAhead = GoAhead()
        async let waiting: Void = goAhead.wait()
        await #expect(throws: Broken.self) {
            _ = try await goAhead.after { () async throws -> Int in
                try await Task.sleep(for: .milliseconds(20))
                throw Broken()
            }
        }
        do {
            try await waiting
            Issue.record("It went on.")
        } catch is GoAhead.Refused {}
        await #expect(throws: GoAhead.Refused.self) { try await goAhead.wait() }
        #expect(!goAhead.isGiven)
    }
}
