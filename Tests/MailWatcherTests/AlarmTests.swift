import IMAP
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

    @Test("how an earlier connection ended is no news when listening begins")
    func earlierEnd() async {
        let hearing = Hearing()
        hearing.add(.failure(.closed))
        hearing.remind()
        hearing.begin()
        let news = await hearing.next()
        #expect(news?.look == true && news?.ended == nil)
        hearing.add(.failure(.closed))
        let ended = await hearing.next()?.ended as? IMAPError
        #expect(ended == .closed)
    }
}
