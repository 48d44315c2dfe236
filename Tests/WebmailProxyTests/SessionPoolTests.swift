import MailModel
import Testing

@testable import WebmailProxy

@Suite struct SessionPoolTests {
    /// Between being told to wait and standing in line another call may give its place back, and wakes nobody.
    @Test func aPlaceThatBecameFreeMeanwhileIsTaken() async throws {
        var pool = SessionPool(limits: MailSessions.Limits(perMailbox: 1, total: 10, idle: .seconds(60)))
        guard case .open = pool.lease("a@b.test", folder: nil), case .wait = pool.lease("a@b.test", folder: nil) else {
            Issue.record("one place was given to two")
            return
        }
        let ticket = pool.nextTicket()
        if pool.vacate("a@b.test") != nil { Issue.record("nobody stood in line") }
        let session: MailSession? = try await withCheckedThrowingContinuation { continuation in
            switch pool.enqueue(continuation, ticket, of: "a@b.test", folder: nil) {
            case .open: continuation.resume(returning: nil)
            case .session, .wait, .full: continuation.resume(throwing: SessionPool.busy)
            }
        }
        let hasPlaceOnly = session == nil
        #expect(hasPlaceOnly)
        guard case .wait = pool.lease("a@b.test", folder: nil) else {
            Issue.record("its place was given to another")
            return
        }
    }
}
