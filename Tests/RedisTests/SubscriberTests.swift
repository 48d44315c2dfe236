import Redis
import ServiceLifecycle
import TestSupport
import Testing

@Suite struct SubscriberTests {
    private func configuration() throws -> Redis.Configuration {
        try Redis.Configuration(url: try TestStack.load().redisURL)
    }

    private func name() -> String { "zz:test:\(UInt64.random(in: 0 ... .max))" }

    @Test func channelsAndPatternsComeAndGo() async throws {
        let redis = RedisClient(try configuration())
        let subscriber = RedisSubscriber(try configuration())
        let (first, second) = (name(), name())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await subscriber.run() }
            let events = subscriber.events.makeAsyncIterator()
            subscriber.subscribe(first)
            #expect(await events.next() == .subscribed(first))
            subscriber.subscribe(pattern: "\(second):*")
            #expect(await events.next() == .subscribed("\(second):*"))
            #expect(try await redis.publish("one", to: first) == 1)
            #expect(try await redis.publish("two", to: "\(second):x") == 1)
            #expect(await events.next() == .message(channel: first, payload: Array("one".utf8)))
            #expect(await events.next() == .message(channel: "\(second):x", payload: Array("two".utf8)))
            subscriber.unsubscribe(first)
            subscriber.unsubscribe(pattern: "\(second):*")
            while try await redis.publish("three", to: first) != 0 { try await Task.sleep(for: .milliseconds(5)) }
            subscriber.subscribe(first)
            while await events.next() != .subscribed(first) {}
            try await redis.publish("four", to: first)
            #expect(await events.next() == .message(channel: first, payload: Array("four".utf8)))
            tasks.cancelAll()
        }
        await redis.close()
    }

    @Test func aSlowReaderHearsOfTheGap() async throws {
        let redis = RedisClient(try configuration())
        let channel = name()
        let subscriber = RedisSubscriber(try configuration(), channels: [channel], buffer: 16)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await subscriber.run() }
            let events = subscriber.events.makeAsyncIterator()
            #expect(await events.next() == .subscribed(channel))
            for number in 0..<100 { try await redis.publish("\(number)", to: channel) }
            try await Task.sleep(for: .milliseconds(200))
            #expect(await events.next() == .lost(.overflow))
            // What is heard after the gap has no further one.
            var last: RedisSubscriber.Event?
            repeat {
                let next = await events.next()
                if next != .lost(.overflow) { last = next }
            } while last != .message(channel: channel, payload: Array("99".utf8)) && last != nil
            try await redis.publish("after", to: channel)
            #expect(await events.next() == .message(channel: channel, payload: Array("after".utf8)))
            tasks.cancelAll()
        }
        await redis.close()
    }

    @Test func itEndsWithTheService() async throws {
        let subscriber = RedisSubscriber(try configuration(), channels: [name()])
        let running = Task { try await subscriber.run() }
        let events = subscriber.events.makeAsyncIterator()
        _ = await events.next()
        running.cancel()
        #expect(await events.next() == nil)
        try await running.value
    }
}
