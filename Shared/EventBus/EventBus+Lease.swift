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

    /// The leases that one holds.
    public struct HeldLeases: Sendable, Equatable {
        /// Those held before.
        public var kept: Set<String> = []
        /// Those that nobody had: somebody else may have had them since they were held here.
        public var taken: Set<String> = []

        public init(kept: Set<String> = [], taken: Set<String> = []) {
            self.kept = kept
            self.taken = taken
        }
    }

    /// Takes and keeps many leases at once, in one round trip that needs memory for all of them.
    ///
    /// - Returns: Those of the names that are `holder`'s now.
    public func holdLeases(names: [String], holder: String, ttl: Duration) async throws -> HeldLeases {
        var held = HeldLeases()
        if names.isEmpty { return held }
        var command: [any RedisArgument] = ["EVAL", Script.hold, names.count]
        command += names.map { Self.leaseKey($0) as any RedisArgument }
        command += [holder, ttl.milliseconds] as [any RedisArgument]
        let answer = try await mapped { try await redis.pipeline([command]) }.first?.array ?? []
        for (name, mark) in zip(names, answer) {
            switch mark.integer {
            case 1: held.kept.insert(name)
            case 2: held.taken.insert(name)
            default: break
            }
        }
        return held
    }

    static func leaseKey(_ name: String) -> String { "mail.lease.\(name)" }
}
