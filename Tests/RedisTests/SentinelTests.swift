import Redis
import ServiceLifecycle
import TestSupport
import Testing

/// A master that is replaced by its replica, with real Sentinels.
@Suite(.serialized) struct SentinelTests {
    private let clock = ContinuousClock()

    /// How long until a value can be written and read.
    private func recovery(of redis: RedisClient, value: String) async throws -> Duration {
        let start = clock.now
        while clock.now - start < .seconds(20) {
            if (try? await redis.command("SET", "zz", value)) != nil,
                try await redis.command("GET", "zz").string == value
            {
                return clock.now - start
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return clock.now - start
    }

    @Test func theNextMasterIsFoundAfterADeath() async throws {
        let cluster = try await SentinelCluster()
        let redis = RedisClient(try Redis.Configuration(url: cluster.url))
        try await redis.command("SET", "before", "1")
        // One Sentinel may be away too.
        cluster.sentinels[0].freeze()
        cluster.master.kill()
        #expect(try await recovery(of: redis, value: "after") < .seconds(15))
        await redis.close()
    }

    @Test func theNextMasterIsFoundWhileTheLastOneLives() async throws {
        let cluster = try await SentinelCluster()
        let configuration = try Redis.Configuration(url: cluster.url)
        let redis = RedisClient(configuration)
        let subscriber = RedisSubscriber(configuration, channels: ["news"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await subscriber.run() }
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed("news"))
            try cluster.failOver()
            try await Task.sleep(for: .seconds(3))
            #expect(try await recovery(of: redis, value: "moved") < .seconds(10))
            #expect(try await redis.command("INFO", "replication").string?.contains("role:master") == true)
            // The subscriber's connection is broken by the change, and made again; until then nobody may hear.
            tasks.addTask {
                for _ in 0..<200 {
                    try await redis.publish("again", to: "news")
                    try await Task.sleep(for: .milliseconds(100))
                }
                subscriber.events.finish()
            }
            let news = RedisSubscriber.Event.message(channel: "news", payload: Array("again".utf8))
            var heard: RedisSubscriber.Event?
            repeat { heard = await events.next() } while heard != nil && heard != news
            #expect(heard == news)
            tasks.cancelAll()
        }
        await redis.close()
    }

    @Test func aMasterThatNoSentinelKnowsIsAway() async throws {
        let cluster = try await SentinelCluster()
        let url = cluster.url.replacing("mymaster", with: "other")
        let redis = RedisClient(try Redis.Configuration(url: url))
        let error = await #expect(throws: RedisError.self) { try await redis.ping() }
        #expect(error?.isUnavailable == true)
        await redis.close()
    }
}
