import Testing

@testable import MailWatcher

/// What wakes a watch by itself.
struct AlarmTests {
    @Test("an alarm set for sooner rings sooner, and the later one no more", .timeLimit(.minutes(1)))
    func alarms() async {
        let hearing = Hearing()
        let begun = ContinuousClock.now
        hearing.remind(in: .seconds(300))
        hearing.remind(in: .milliseconds(10))
        #expect(await hearing.next()?.look == true)
        #expect(begun.duration(to: .now) < .seconds(30))
        // It rang: the next may be set again.
        hearing.remind(in: .milliseconds(10))
        #expect(await hearing.next()?.look == true)
    }
}
