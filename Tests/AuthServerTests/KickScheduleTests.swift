import Testing

@testable import AuthServer

/// Which mailboxes are kicked, when, and how often.
@Suite struct KickScheduleTests {
    private let start = ContinuousClock.now

    @Test func aMailboxIsKickedThreeTimes() {
        var schedule = KickSchedule()
        schedule.begin("a@example.test", revokedAt: 5, now: start)
        for (round, delay) in [0, 300, 1000].enumerated() {
            let now = start + .milliseconds(delay)
            let early = schedule.take(dueAt: now - .milliseconds(1), most: 10)
            #expect(early.isEmpty)
            let due = schedule.take(dueAt: now, most: 10)
            #expect(due.map(\.email) == ["a@example.test"] && due.first?.isFirst == (round == 0))
            #expect(schedule.oldest == 5, "handed out is not done")
            schedule.kicked(due)
        }
        #expect(schedule.next == nil && schedule.oldest == nil)
    }

    @Test func whatIsRefusedIsTriedAgainAndOthersGoOn() {
        var schedule = KickSchedule()
        schedule.begin("good@example.test", revokedAt: 1, now: start)
        schedule.begin("bad@example.test", revokedAt: 2, now: start)
        let due = schedule.take(dueAt: start, most: 10)
        schedule.kicked(due.filter { $0.email == "good@example.test" })
        var givenUp = schedule.refused(due.filter { $0.email == "bad@example.test" }, now: start).map(\.email)
        #expect(givenUp.isEmpty)
        var now = start, tries = 0, kicksOfGood = 0
        while let next = schedule.next, tries < 1000 {
            #expect(next - now <= .seconds(10))
            now = max(now, next)
            let due = schedule.take(dueAt: now, most: 10)
            kicksOfGood += due.count { $0.email == "good@example.test" }
            schedule.kicked(due.filter { $0.email == "good@example.test" })
            let bad = due.filter { $0.email == "bad@example.test" }
            #expect(!bad.contains { !$0.isFirst })
            tries += bad.count
            givenUp += schedule.refused(bad, now: now).map(\.email)
        }
        #expect(kicksOfGood == 2 && givenUp == ["bad@example.test"])
        #expect((20...60).contains(tries) && now - start >= .seconds(300) && now - start < .seconds(320))
    }

    /// Refusing, then away for long, then refusing while it starts: not five minutes of refusals.
    @Test func whatIsAwayDoesNotRefuse() {
        var schedule = KickSchedule()
        schedule.begin("a@example.test", revokedAt: 1, now: start)
        var givenUp = schedule.refused(schedule.take(dueAt: start, most: 10), now: start).count
        let away = start + .seconds(10), back = start + .seconds(400)
        schedule.putOff(schedule.take(dueAt: away, most: 10), until: back)
        givenUp += schedule.refused(schedule.take(dueAt: back, most: 10), now: back).count
        #expect(givenUp == 0 && schedule.next != nil)
    }

    @Test func whoStartsGoesOnWhereOthersAre() {
        #expect(SessionEnder.start(after: 0, began: 500_000, now: 500_100) == 0, "nobody was before")
        #expect(SessionEnder.start(after: 400_000, began: 500_000, now: 500_100) == 400_000)
        #expect(SessionEnder.start(after: 900_000, began: 500_000, now: 990_000) == 440_000, "we are here since")
        #expect(SessionEnder.start(after: 500_101, began: 500_000, now: 500_100) == 0, "of a wrong clock")
    }

    @Test func whatIsRevokedAgainMeanwhileBeginsAnew() {
        var schedule = KickSchedule()
        schedule.begin("a@example.test", revokedAt: 1, now: start)
        let due = schedule.take(dueAt: start, most: 10)
        schedule.begin("a@example.test", revokedAt: 2, now: start)
        let givenUp = schedule.refused(due, now: start)
        let again = schedule.take(dueAt: start, most: 10)
        #expect(givenUp.isEmpty && again.map(\.revokedAt) == [2] && again.first?.isFirst == true)
    }
}
