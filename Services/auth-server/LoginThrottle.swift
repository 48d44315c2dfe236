import Credentials
import EventBus
import MailModel
import NIOConcurrencyHelpers

/// Makes guessing slow: each failed login delays the next one, longer and longer.
///
/// Three counts, in Redis for all replicas together. The pair of account and source is held strictly; a source that
/// tries many accounts, less so; an account that is tried from many sources only briefly, so that nobody can lock its
/// owner out, and not at all for sources where its owner has logged in lately. An attempt counts as failed from its
/// beginning, so that many at the same time are many.
struct LoginThrottle: Sendable {
    /// What an attempt counts under: an address of nobody counts like any other, so that nothing can be told from it.
    struct Attempt: Sendable, Equatable {
        fileprivate let account: String
        fileprivate let source: String

        /// - Parameters:
        ///   - email: As typed.
        ///   - source: The client's address; an IPv6 network of 64 bits counts as one.
        init(email: String, source: String) {
            // However it is written, it is the account that is tried.
            let name = (try? EmailAddress(email).description) ?? email.lowercased()
            account = String(OpaqueToken.hash(of: name).prefix(32))
            self.source = ClientNetwork(of: source).text
        }
    }

    /// Begins an attempt.
    /// - Throws: `Failure` `tooManyRequests` with how long to wait; nothing was counted then.
    func begin(_ attempt: Attempt) async throws {
        let wait: Duration
        do {
            wait = try await bus.beginAttempt(account: attempt.account, source: attempt.source)
        } catch {
            wait = fallback.begin(account: attempt.account, source: attempt.source)
        }
        guard wait == .zero else {
            throw Failure(
                .tooManyRequests, code: "too_many_attempts", "Too many attempts failed; wait and try again.",
                retryAfter: wait)
        }
    }

    /// The attempt was a login.
    func succeeded(_ attempt: Attempt) async {
        fallback.end(account: attempt.account, source: attempt.source)
        do { try await bus.endAttempt(account: attempt.account, source: attempt.source) } catch {}
    }

    /// The attempt was not decided: nobody knows whether the password was right, so it does not count.
    func undecided(_ attempt: Attempt) async {
        fallback.withdraw(account: attempt.account, source: attempt.source)
        do { try await bus.withdrawAttempt(account: attempt.account, source: attempt.source) } catch {}
    }

    private let bus: EventBus
    private let fallback = LocalThrottle()

    init(bus: EventBus) { self.bus = bus }
}

/// The same rules for this process alone, while Redis is away; an account that many sources try is not held back then.
final class LocalThrottle: Sendable {
    private struct Count {
        var failures = 0
        var until: ContinuousClock.Instant
        var last: ContinuousClock.Instant
    }

    private enum Key: Hashable {
        case pair(account: String, source: String)
        case source(String)

        var delay: AttemptDelay {
            switch self {
            case .pair: .pair
            case .source: .source
            }
        }
    }

    private let counts = NIOLockedValueBox<[Key: Count]>([:])
    private let capacity: Int
    /// After which a count is forgotten when room is needed.
    private static let memory = Duration.seconds(3600)

    init(capacity: Int = 20_000) { self.capacity = capacity }

    /// - Returns: How long to wait; zero when the attempt was counted.
    func begin(account: String, source: String, now: ContinuousClock.Instant = .now) -> Duration {
        let keys = Self.keys(account, source)
        return counts.withLockedValue { counts in
            let wait = keys.compactMap { counts[$0].map { now.duration(to: $0.until) } }.max() ?? .zero
            guard wait <= .zero else { return wait }
            if counts.count + keys.count > capacity { Self.makeRoom(&counts, most: capacity * 3 / 4, now: now) }
            for key in keys {
                var count = counts[key] ?? Count(until: now, last: now)
                count.failures += 1
                count.until = now + key.delay.delay(after: count.failures)
                count.last = now
                counts[key] = count
            }
            return .zero
        }
    }

    /// It was no failure: the pair is forgiven.
    func end(account: String, source: String) {
        withdraw(account: account, source: source)
        counts.withLockedValue { $0[.pair(account: account, source: source)] = nil }
    }

    /// Takes back what `begin` counted.
    func withdraw(account: String, source: String) {
        counts.withLockedValue { counts in
            for key in Self.keys(account, source) where (counts[key]?.failures ?? 0) > 0 {
                counts[key]?.failures -= 1
                counts[key]?.until = .now
            }
        }
    }

    private static func keys(_ account: String, _ source: String) -> [Key] {
        [.pair(account: account, source: source), .source(source)]
    }

    /// What is over goes first, then what has least to say: the smallest counts.
    private static func makeRoom(_ counts: inout [Key: Count], most: Int, now: ContinuousClock.Instant) {
        counts = counts.filter { $0.value.until > now || $0.value.last > now - memory }
        guard counts.count > most else { return }
        for (key, _) in counts.sorted(by: { $0.value.failures < $1.value.failures }).prefix(counts.count - most) {
            counts[key] = nil
        }
    }
}
