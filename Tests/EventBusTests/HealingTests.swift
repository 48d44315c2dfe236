import MailModel
import Redis
import TestSupport
import Testing

@testable import EventBus

/// No gap is silent; on a Redis of the test's own.
@Suite struct HealingTests {
    @Test func aBrokenConnectionIsHealedFromTheLog() async throws {
        let (_server, url) = try await PrivateServer.redis()
        let redis = RedisClient(try Redis.Configuration(url: url))
        try await Fixture.with(url: url) { bus in
            let account = Fixture.account()
            let quiet = Fixture.account()
            let heard = await bus.heard(account)
            let quietReader = await bus.heard(quiet)
            for number in 0..<200 {
                try await bus.publish(Fixture.event(account, number))
                if number % 50 == 25 { try await redis.command("CLIENT", "KILL", "TYPE", "pubsub") }
            }
            // Each once and in order, though the connection broke in between.
            for number in 0..<200 { #expect(await heard.next()?.number == number) }
            try await Task.sleep(for: .milliseconds(300))
            try await bus.publish(Fixture.event(quiet, 7))
            // Who missed nothing is not told to resync.
            #expect(await quietReader.next()?.number == 7)
        }
        await redis.close()
        withExtendedLifetime(_server) {}
    }

    @Test func theFirstEventOfAnAccountMayComeWhileNobodyHears() async throws {
        let (server, url) = try await PrivateServer.redis()
        try await Fixture.with(url: url) { bus in
            for _ in 0..<5 {
                let account = Fixture.account()
                let heard = await bus.heard(account)
                server.kill()
                try await server.start()
                // Another replica is back sooner.
                try await Fixture.with(url: url) { try await $0.publish(Fixture.event(account, 1)) }
                #expect(await heard.next()?.number == 1)
            }
        }
    }

    @Test func whatTheLogForgotIsAResync() async throws {
        let (server, url) = try await PrivateServer.redis()
        try await Fixture.with(url: url) { bus in
            let account = Fixture.account()
            let heard = await bus.heard(account)
            try await bus.publish(Fixture.event(account, 1))
            #expect(await heard.next()?.number == 1)
            server.kill()
            let error = await #expect(throws: Failure.self) { try await bus.publish(Fixture.event(account, 2)) }
            #expect(error?.kind == .unavailable)
            // One who comes while Redis is away is not made to wait, and resyncs when it is back.
            let late = await bus.heard(Fixture.account())
            try await server.start()
            #expect(await heard.next()?.number == -1)
            #expect(await late.next()?.number == -1)
            for _ in 0..<100 where (try? await bus.ping()) == nil { try await Task.sleep(for: .milliseconds(20)) }
            try await bus.publish(Fixture.event(account, 3))
            #expect(await heard.next()?.number == 3)
        }
    }

    @Test func whoComesAfterAnOutageThatNobodyHeardIsNotToldToResync() async throws {
        let (server, url) = try await PrivateServer.redis()
        try await Fixture.with(url: url) { bus in
            // One push that stands for some that were missed tells of each connection.
            let connections = bus.pushes.makeAsyncIterator()
            _ = await connections.next()
            server.kill()
            try await server.start()
            _ = await connections.next()
            let account = Fixture.account()
            let heard = await bus.heard(account)
            try await bus.publish(Fixture.event(account, 1))
            #expect(await heard.next()?.number == 1)
        }
    }

    @Test func theReturnOfRedisMayBeAmongWhatWasDropped() async throws {
        try await Fixture.with { bus in
            let connections = bus.pushes.makeAsyncIterator()
            _ = await connections.next()
            await bus.dispatch(.lost(.disconnected))
            await bus.dispatch(.lost(.overflow))
            let account = Fixture.account()
            let heard = await bus.heard(account)
            try await bus.publish(Fixture.event(account, 1))
            #expect(await heard.next()?.number == 1)
        }
    }

    @Test func whoseLogWasUnreadableResyncsAfterTheNextGapToo() throws {
        let hub = SubscriptionHub(subscriber: RedisSubscriber(try Redis.Configuration(url: "redis://127.0.0.1:1")))
        let account = Fixture.account()
        _ = hub.follow(account) { _ in }
        hub.becameLive(account, upTo: nil)
        hub.disconnected()
        #expect(hub.missing(of: account) == .unknown)
        hub.becameLive(account, upTo: .zero)
        hub.disconnected()
        #expect(hub.missing(of: account) == .after(.zero))
    }
}
