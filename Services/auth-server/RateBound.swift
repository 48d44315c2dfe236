import EventBus
import NIOConcurrencyHelpers

/// How often something may happen in a while: counted in Redis for all replicas together, and in this process alone
/// while that is away.
struct RateBound: Sendable {
    private let bus: EventBus
    private let local = LocalCounts()

    init(bus: EventBus) { self.bus = bus }

    /// Counts it once more.
    ///
    /// - Parameters:
    ///   - name: What is counted, of whom.
    ///   - window: Begins with the first.
    /// - Returns: Whether it may happen.
    func admits(_ name: String, upTo limit: Int, within window: Duration) async -> Bool {
        do { return try await bus.count(name, within: window) <= limit } catch {
            return local.count(name, within: window) <= limit
        }
    }
}

/// The counts of this process, of bounded number.
final class LocalCounts: Sendable {
    private struct Count {
        var count: Int
        let ends: ContinuousClock.Instant
    }

    private let counts = NIOLockedValueBox<[String: Count]>([:])
    private let capacity: Int

    init(capacity: Int = 10_000) { self.capacity = capacity }

    /// - Returns: How often it happened in this window, this time included.
    func count(_ name: String, within window: Duration, now: ContinuousClock.Instant = .now) -> Int {
        counts.withLockedValue { counts in
            if let known = counts[name], known.ends > now {
                counts[name]?.count += 1
                return known.count + 1
            }
            if counts.count >= capacity { Self.makeRoom(&counts, most: capacity * 3 / 4, now: now) }
            counts[name] = Count(count: 1, ends: now + window)
            return 1
        }
    }

    /// What is over goes first, then what has least to say: the smallest counts.
    private static func makeRoom(_ counts: inout [String: Count], most: Int, now: ContinuousClock.Instant) {
        counts = counts.filter { $0.value.ends > now }
        guard counts.count > most else { return }
        for (name, _) in counts.sorted(by: { $0.value.count < $1.value.count }).prefix(counts.count - most) {
            counts[name] = nil
        }
    }
}
