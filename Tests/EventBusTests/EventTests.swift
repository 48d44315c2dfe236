import EventBus
import MailModel
import Redis
import TestSupport
import Testing

@Suite struct EventTests {
    @Test func whatIsPublishedIsHeardAndReplayed() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account()
            let heard = await bus.heard(account)
            let first = try await bus.publish(Fixture.event(account, 1))
            let second = try await bus.publish(Fixture.event(account, 2))
            #expect(!first.id.isEmpty)
            #expect([await heard.next(), await heard.next()] == [first, second])
            #expect(try await bus.replay(account: account, since: "0-0") == .events([first, second]))
            #expect(try await bus.replay(account: account, since: first.id) == .events([second]))
            #expect(try await bus.replay(account: account, since: second.id) == .events([]))
            #expect(try await bus.replay(account: account, since: "0-0", limit: 1) == .events([first]))
            #expect(try await bus.latestID(account: account) == second.id)
        }
    }

    @Test func whatIsForgottenIsTooOld() async throws {
        try await Fixture.with(logCapacity: 100) { bus in
            let account = Fixture.account()
            #expect(try await bus.replay(account: account, since: "0-0") == .events([]))
            #expect(try await bus.replay(account: account, since: "5-0") == .tooOld)
            #expect(try await bus.replay(account: account, since: "nonsense") == .tooOld)
            let first = try await bus.publish(Fixture.event(account, 0))
            for number in 1..<400 { try await bus.publish(Fixture.event(account, number)) }
            #expect(try await bus.replay(account: account, since: first.id) == .tooOld)
            #expect(try await bus.replay(account: account, since: "99999999999999-0") == .tooOld)
            let last = try await bus.publish(Fixture.event(account, 400))
            #expect(try await bus.replay(account: account, since: last.id) == .events([]))
        }
    }

    @Test func aLogThatWasLostAndBegunAnewIsTooOld() async throws {
        let redis = RedisClient(try Redis.Configuration(url: try TestStack.load().redisURL))
        try await Fixture.with { bus in
            let account = Fixture.account()
            let heard = try await bus.publish(Fixture.event(account, 1))
            try await redis.command("DEL", "mail.log.\(account)")
            // So that the new ids are greater.
            try await Task.sleep(for: .milliseconds(5))
            let next = try await bus.publish(Fixture.event(account, 2))
            #expect(try await bus.replay(account: account, since: heard.id) == .tooOld)
            #expect(try await bus.replay(account: account, since: "0-0") == .events([next]))
        }
        await redis.close()
    }

    @Test func whoFollowsIsToldInOrderUntilHeLeaves() async throws {
        try await Fixture.with { bus in
            let accounts = [Fixture.account(), Fixture.account()]
            let told = GapQueue<MailEvent>(capacity: 100, gap: Fixture.event("", -2))
            await bus.follow(accounts) { told.append($0) }
            for number in 0..<20 { try await bus.publish(Fixture.event(accounts[number % 2], number)) }
            let heard = told.makeAsyncIterator()
            for number in 0..<20 { #expect(await heard.next()?.number == number) }
            bus.unfollow(accounts[0])
            try await bus.publish(Fixture.event(accounts[0], 20))
            try await bus.publish(Fixture.event(accounts[1], 21))
            #expect(await heard.next()?.number == 21)
        }
    }

    @Test func anotherFollowerTakesThePlaceOfTheFirst() async throws {
        try await Fixture.with { bus in
            let account = Fixture.account()
            let first = await bus.heard(account)
            try await bus.publish(Fixture.event(account, 1))
            #expect(await first.next()?.number == 1)
            let second = await bus.heard(account)
            try await bus.publish(Fixture.event(account, 2))
            #expect(await second.next()?.number == 2)
        }
    }

    @Test func whoLeavesEndsTheSubscription() async throws {
        let redis = RedisClient(try Redis.Configuration(url: try TestStack.load().redisURL))
        try await Fixture.with { bus in
            let account = Fixture.account()
            func subscribers() async throws -> RESPValue? {
                try await redis.command("PUBSUB", "NUMSUB", "mail.events.\(account)").array?.last
            }
            _ = await bus.heard(account)
            #expect(try await subscribers() == .integer(1))
            bus.unfollow(account)
            for _ in 0..<100 where try await subscribers() != .integer(0) {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(try await subscribers() == .integer(0))
        }
        await redis.close()
    }
}
