import Redis

/// How long the next attempt must wait: nothing after the first few failures, then a second, two, four, up to a most.
public struct AttemptDelay: Sendable, Equatable {
    /// Failures without a delay.
    public let free: Int
    public let most: Duration

    /// One source that tries one account.
    public static let pair = AttemptDelay(free: 5, most: .seconds(900))
    /// One source, whatever it tries.
    public static let source = AttemptDelay(free: 50, most: .seconds(900))
    /// One account, whoever tries it.
    public static let account = AttemptDelay(free: 50, most: .seconds(30))

    public func delay(after failures: Int) -> Duration {
        guard failures > free else { return .zero }
        return min(most, .seconds(1 << min(20, failures - free - 1)))
    }
}

extension EventBus {
    /// Counts an attempt as failed until `endAttempt` says otherwise.
    ///
    /// - Returns: How long to wait before it may be made; zero when it may be made now, and only then it was counted.
    public func beginAttempt(account: String, source: String) async throws -> Duration {
        let keys = Self.attemptKeys(account, source)
        let rules = [AttemptDelay.pair, .source, .account]
        return try await mapped {
            let answer = try await redis.command(
                "EVAL", Script.beginAttempt, 4, keys.pair, keys.source, keys.account, keys.known,
                rules[0].free, rules[0].most.milliseconds, rules[1].free, rules[1].most.milliseconds,
                rules[2].free, rules[2].most.milliseconds)
            return .milliseconds(answer.integer ?? 0)
        }
    }

    /// The attempt was no failure: the pair is forgiven, and the account knows this source for a month.
    public func endAttempt(account: String, source: String) async throws {
        let keys = Self.attemptKeys(account, source)
        _ = try await mapped {
            try await redis.command("EVAL", Script.endAttempt, 4, keys.pair, keys.source, keys.account, keys.known)
        }
    }

    /// The attempt was not decided: takes back what `beginAttempt` counted, and nothing else.
    public func withdrawAttempt(account: String, source: String) async throws {
        let keys = Self.attemptKeys(account, source)
        _ = try await mapped {
            try await redis.command("EVAL", Script.withdrawAttempt, 3, keys.pair, keys.source, keys.account)
        }
    }

    private static func attemptKeys(
        _ account: String, _ source: String
    ) -> (pair: String, source: String, account: String, known: String) {
        (
            "login.pair.\(account).\(source)", "login.source.\(source)", "login.account.\(account)",
            "login.known.\(account).\(source)"
        )
    }
}
