import Redis

extension EventBus {
    /// Takes the lease `name` for `holder` unless somebody has it; it ends after `ttl` unless renewed.
    ///
    /// - Returns: Whether `holder` has it now; also true when it had it before.
    public func acquireLease(name: String, holder: String, ttl: Duration) async throws -> Bool {
        let answer = try await mapped {
            try await redis.command("SET", Self.leaseKey(name), holder, "NX", "PX", ttl.milliseconds)
        }
        if answer != .null { return true }
        return try await renewLease(name: name, holder: holder, ttl: ttl)
    }

    /// - Returns: False when the lease is not `holder`'s any more.
    public func renewLease(name: String, holder: String, ttl: Duration) async throws -> Bool {
        try await mapped {
            try await redis.command("EVAL", Script.renew, 1, Self.leaseKey(name), holder, ttl.milliseconds).integer == 1
        }
    }

    /// Does nothing when the lease is not `holder`'s.
    ///
    /// - Returns: Whether it was.
    @discardableResult
    public func releaseLease(name: String, holder: String) async throws -> Bool {
        try await mapped {
            try await redis.command("EVAL", Script.release, 1, Self.leaseKey(name), holder).integer == 1
        }
    }

    private static func leaseKey(_ name: String) -> String { "mail.lease.\(name)" }
}
