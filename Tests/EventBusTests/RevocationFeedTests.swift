import EventBus
import MailModel
import Redis
import TestSupport
import Testing

@Suite struct RevocationFeedTests {
    /// Stands for the table of revocations and for what a service knows of it.
    private actor Ledger {
        private var lasting: [Revocation] = []
        private(set) var known: Set<Int64> = []

        func add(_ revocation: Revocation) { lasting.append(revocation) }
        func since(_ id: Int64) -> [Revocation] { lasting.filter { $0.id > id } }
        func apply(_ revocations: [Revocation]) { known.formUnion(revocations.map(\.id)) }
    }

    private static func revocation(_ id: Int64, age: Int64 = 0) -> Revocation {
        Revocation(
            id: id, at: Timestamp.now() - age, kind: .account, value: "a@example.test", notBefore: Timestamp.now())
    }

    @Test func heardAnnouncedOrNot() async throws {
        let ledger = Ledger()
        try await Fixture.with { bus in
            let feed = RevocationFeed(
                bus: bus, interval: .milliseconds(500), loader: { await ledger.since($0) },
                apply: { await ledger.apply($0) })
            func knows(_ id: Int64, within limit: Duration) async throws -> Bool {
                let end = ContinuousClock.now + limit
                while ContinuousClock.now < end {
                    if await ledger.known.contains(id) { return true }
                    try await Task.sleep(for: .milliseconds(5))
                }
                return false
            }
            await ledger.add(Self.revocation(1))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await feed.run() }
                #expect(try await knows(1, within: .seconds(5)))
                // Announced only: heard without the database, once the subscription stands.
                for _ in 0..<50 {
                    try await bus.announce([Self.revocation(9)])
                    if try await knows(9, within: .milliseconds(100)) { break }
                }
                #expect(await ledger.known.contains(9))
                // Never announced, and with a smaller id than one that is known.
                await ledger.add(Self.revocation(3))
                await ledger.add(Self.revocation(2))
                // One that its transaction held back for half a minute, beside a later one that is known that long.
                await ledger.add(Self.revocation(12, age: 30_000))
                #expect(try await knows(12, within: .seconds(5)))
                try await Task.sleep(for: .milliseconds(600))
                await ledger.add(Self.revocation(11, age: 30_000))
                #expect(try await knows(11, within: .seconds(5)))
                #expect(try await knows(2, within: .seconds(5)))
                #expect(try await knows(3, within: .seconds(5)))
                tasks.cancelAll()
            }
        }
    }

    /// Stands for a database that comes up late.
    private actor LateLedger {
        private var failures = 2
        private(set) var known: Set<Int64> = []
        private(set) var knownAtFirstReading: Set<Int64>?

        func read() throws -> [Revocation] {
            failures -= 1
            guard failures < 0 else { throw Failure.unavailable("MariaDB") }
            return [RevocationFeedTests.revocation(1)]
        }
        func apply(_ revocations: [Revocation]) { known.formUnion(revocations.map(\.id)) }
        func noteFirstReading() { knownAtFirstReading = known }
    }

    @Test(.timeLimit(.minutes(1))) func theFirstReadingIsTriedAgainSoonAndToldOf() async throws {
        let ledger = LateLedger()
        try await Fixture.with { bus in
            let (readings, reader) = AsyncStream<Void>.makeStream()
            let feed = RevocationFeed(
                bus: bus, interval: .seconds(600), loader: { _ in try await ledger.read() },
                onFirstReading: { reader.yield() }, apply: { await ledger.apply($0) })
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try? await feed.run() }
                for await _ in readings { break }
                await ledger.noteFirstReading()
                tasks.cancelAll()
            }
        }
        #expect(await ledger.knownAtFirstReading == [1])
    }
}
