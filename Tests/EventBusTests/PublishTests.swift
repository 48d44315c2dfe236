import EventBus
import MailModel
import Redis
import Testing

/// Who publishes, and what happens when nobody knows whether it was published.
@Suite struct PublishTests {
    @Test func whatIsPublishedTwiceIsToldOnce() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account()
            let heard = await bus.heard(account)
            var event = Fixture.event(account, 1)
            event.id = "1700000000000-3"
            #expect(try await bus.publish(event) == event)
            #expect(try await bus.publish(event) == event)
            var next = Fixture.event(account, 2)
            next.id = "1700000000000-4"
            try await bus.publish(next)
            #expect([await heard.next(), await heard.next()] == [event, next])
            #expect(try await bus.replay(account: account, since: "0-0") == .events([event, next]))
        }
    }

    @Test func anIdThatIsTooSmallIsReplaced() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account()
            let first = try await bus.publish(Fixture.event(account, 1))
            var late = Fixture.event(account, 2)
            late.id = "5-0"
            let second = try await bus.publish(late)
            #expect(second.id != "5-0")
            #expect(try await bus.replay(account: account, since: first.id) == .events([second]))
        }
    }

    @Test func whoLostTheLeaseIsRefused() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account(), ttl = Duration.seconds(5)
            let frozen = EventBus.Publisher(lease: account, holder: "a", ttl: .seconds(1))
            try await bus.publish(Fixture.event(account, 1), by: frozen)
            // Whoever publishes has the lease, if nobody had it.
            #expect(try await bus.holdLeases(names: [account], holder: "b", ttl: ttl) == .init())
            try await Task.sleep(for: .milliseconds(1100))
            #expect(try await bus.holdLeases(names: [account], holder: "b", ttl: ttl).taken == [account])
            #expect(try await bus.holdLeases(names: [account], holder: "b", ttl: ttl).kept == [account])
            await #expect(throws: EventBus.LeaseLost.self) {
                try await bus.publish(Fixture.event(account, 2), by: frozen)
            }
            try await bus.publish(Fixture.event(account, 3), by: .init(lease: account, holder: "b", ttl: ttl))
            let replay = try await bus.replay(account: account, since: "0-0")
            guard case .events(let events) = replay else {
                Issue.record("\(replay)")
                return
            }
            #expect(events.map(\.number) == [1, 3])
        }
    }

    /// Who was frozen finds the lease free again when the other has ended too.
    @Test func aFreeLeaseIsNotTakenByWhoMissedWhatAnotherLogged() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account(), ttl = Duration.seconds(5)
            func publisher(_ holder: String, last: String) -> EventBus.Publisher {
                .init(lease: account, holder: holder, ttl: ttl, last: last)
            }
            let first = try await bus.publish(Fixture.event(account, 1), by: publisher("a", last: "0-0"))
            #expect(try await bus.releaseLease(name: account, holder: "a"))
            let second = try await bus.publish(Fixture.event(account, 2), by: publisher("b", last: first.id))
            #expect(try await bus.releaseLease(name: account, holder: "b"))
            await #expect(throws: EventBus.LeaseLost.self) {
                try await bus.publish(Fixture.event(account, 3), by: publisher("a", last: first.id))
            }
            // One whose answer got lost is known, though not as the last.
            #expect(try await bus.publish(second, by: publisher("b", last: first.id)) == second)
            #expect(try await bus.replay(account: account, since: first.id) == .events([second]))
        }
    }

    @Test func manyLeasesAtOnce() async throws {
        try await Fixture.with { bus in
            let names = (0..<2500).map { _ in Fixture.account() }, ttl = Duration.seconds(5)
            let first = Array(names[..<10])
            let held = try await bus.holdLeases(names: first, holder: "a", ttl: ttl)
            let others = try await bus.holdLeases(names: names, holder: "b", ttl: ttl)
            let again = try await bus.holdLeases(names: names, holder: "a", ttl: ttl)
            #expect(held.taken == Set(first) && others.taken == Set(names[10...]) && again.kept == Set(first))
            #expect(held.kept.isEmpty && others.kept.isEmpty && again.taken.isEmpty)
        }
    }

    @Test func pushesReachEveryReplica() async throws {
        try await Fixture.with { first in
            try await Fixture.with { second in
                let iterators = [first.pushes.makeAsyncIterator(), second.pushes.makeAsyncIterator()]
                // The empty one tells that from now on they are heard.
                for index in iterators.indices { #expect(await iterators[index].next() == []) }
                let push = Array("push \(Fixture.account())".utf8)
                try await first.forward(push: push)
                for index in iterators.indices {
                    while let heard = await iterators[index].next(), heard != push {}
                }
            }
        }
    }
}
