import Redis
import ServiceLifecycle
import TestSupport
import Testing

/// What happens when the server dies or hangs; on a server of the test's own.
@Suite struct OutageTests {
    private let clock = ContinuousClock()

    /// How long a call takes to fail; the least of five, since other tests run as well.
    private func refusal(by redis: RedisClient) async -> Duration {
        var least = Duration.seconds(60)
        for _ in 0..<5 {
            let took = await clock.measure { await #expect(throws: RedisError.self) { try await redis.ping() } }
            least = min(least, took)
        }
        return least
    }

    private func recovery(of redis: RedisClient) async throws -> Duration {
        let start = clock.now
        while clock.now - start < .seconds(10) {
            if (try? await redis.ping()) != nil { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        return clock.now - start
    }

    @Test func aServerThatDiesIsMissedAtOnceAndFoundAgain() async throws {
        let (server, url) = try await PrivateServer.redis()
        let redis = RedisClient(try Redis.Configuration(url: url))
        try await redis.ping()
        server.kill()
        let error = await #expect(throws: RedisError.self) { try await redis.ping() }
        #expect(error?.isUnavailable == true)
        #expect(await refusal(by: redis) < .milliseconds(250))
        try await server.start()
        #expect(try await recovery(of: redis) < .seconds(2))
        await redis.close()
    }

    @Test func aServerThatHangsIsBounded() async throws {
        let (server, url) = try await PrivateServer.redis()
        let redis = RedisClient(try Redis.Configuration(url: url))
        try await redis.ping()
        server.freeze()
        let hung = await clock.measure { await #expect(throws: RedisError.timedOut) { try await redis.ping() } }
        #expect(hung < .seconds(2.5))
        #expect(await refusal(by: redis) < .milliseconds(250))
        server.thaw()
        #expect(try await recovery(of: redis) < .seconds(2))
        // Noticed also when nobody asks.
        server.freeze()
        try await Task.sleep(for: .seconds(3.2))
        #expect(await refusal(by: redis) < .milliseconds(250))
        await redis.close()
    }

    @Test func aSubscriberComesBackAndSaysSo() async throws {
        let (server, url) = try await PrivateServer.redis()
        let subscriber = RedisSubscriber(try Redis.Configuration(url: url), channels: ["a"])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await subscriber.run() }
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed("a"))
            subscriber.subscribe("b")
            #expect(await events.next() == .subscribed("b"))
            server.kill()
            #expect(await events.next() == .lost(.disconnected))
            try await server.start()
            let back = [await events.next(), await events.next()]
            #expect(Set(back) == [.subscribed("a"), .subscribed("b")])
            let frozen = clock.now
            server.freeze()
            #expect(await events.next() == .lost(.disconnected))
            #expect(clock.now - frozen < .seconds(3.2))
            server.thaw()
            _ = await (events.next(), events.next())
            let redis = RedisClient(try Redis.Configuration(url: url))
            try await redis.publish("again", to: "b")
            #expect(await events.next() == .message(channel: "b", payload: Array("again".utf8)))
            await redis.close()
            tasks.cancelAll()
        }
    }
}
