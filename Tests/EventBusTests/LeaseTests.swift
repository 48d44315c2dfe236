import EventBus
import Testing

@Suite struct LeaseTests {
    @Test func oneHolderAtATime() async throws {
        try await Fixture.with { bus in
            let name = Fixture.account()
            let ttl = Duration.seconds(2)
            #expect(try await bus.acquireLease(name: name, holder: "a", ttl: ttl))
            #expect(try await bus.acquireLease(name: name, holder: "a", ttl: ttl))
            #expect(try await !bus.acquireLease(name: name, holder: "b", ttl: ttl))
            #expect(try await !bus.renewLease(name: name, holder: "b", ttl: ttl))
            #expect(try await !bus.releaseLease(name: name, holder: "b"))
            for _ in 0..<3 {
                try await Task.sleep(for: .seconds(1))
                #expect(try await bus.renewLease(name: name, holder: "a", ttl: ttl))
            }
            try await Task.sleep(for: .seconds(2.5))
            #expect(try await bus.acquireLease(name: name, holder: "b", ttl: ttl))
            #expect(try await !bus.renewLease(name: name, holder: "a", ttl: ttl))
            #expect(try await bus.releaseLease(name: name, holder: "b"))
        }
    }
}
