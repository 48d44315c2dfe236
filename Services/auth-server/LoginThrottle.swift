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
    struct Attempt: Sendable {
        fileprivate let account: String
        fileprivate let source: String

        /// - Parameters:
        ///   - email: As typed.
        ///   - source: The client's address; an IPv6 network of 64 bits counts as one.
        init(email: String, source: String) {
            account = String(OpaqueToken.hash(of: email.lowercased()).prefix(32))
            if source.contains(":"), !source.contains(".") {
                self.source = source.split(separator: ":", omittingEmptySubsequences: false).prefix(4)
                    .joined(separator: ":")
            } else {
                self.source = source
            }
        }
    }

    /// Begins an attempt.
    /// - Throws: `Failure` `tooManyRequests` with how long to wait; nothing was counted then.
    func begin(_ attempt: Attempt) async throws {
        let wait: Duration
        do {
            wait = try await bus.beginAttempt(account: attempt.account, source: attempt.source)
        } catch {
            wait = fallback.begin(attempt.account + attempt.source)
        }
        guard wait == .zero else {
            throw Failure(
                .tooManyRequests, code: "too_many_attempts", "Too many attempts failed; wait and try again.",
                retryAfter: wait)
        }
    }

    /// The attempt was a login.
    func succeeded(_ attempt: Attempt) async {
        fallback.forget(attempt.account + attempt.source)
        do { try await bus.endAttempt(account: attempt.account, source: attempt.source) } catch {}
    }

    private let bus: EventBus
    private let fallback = LocalThrottle()

    init(bus: EventBus) { self.bus = bus }
}

/// The same rule for this process alone, while Redis is away.
private final class LocalThrottle: Sendable {
    private struct Count {
        var failures = 0
        var until: ContinuousClock.Instant
    }

    private let counts = NIOLockedValueBox<[String: Count]>([:])
    private static let capacity = 10_000

    func begin(_ key: String) -> Duration {
        let now = ContinuousClock.now
        return counts.withLockedValue { counts in
            if counts.count >= Self.capacity { counts.removeAll() }
            var count = counts[key] ?? Count(until: now)
            guard count.until <= now else { return now.duration(to: count.until) }
            count.failures += 1
            let delay = AttemptDelay.pair.delay(after: count.failures)
            count.until = now + delay
            counts[key] = count
            return .zero
        }
    }

    func forget(_ key: String) { counts.withLockedValue { $0[key] = nil } }
}
