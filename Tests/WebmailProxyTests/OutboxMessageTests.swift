import Storage
import Testing

@testable import WebmailProxy

@Suite struct OutboxMessageTests {
    private func message(_ recipients: [OutboxMessage.Recipient]) -> Outbox.Message {
        Outbox.Message(
            mailbox: Mailbox(address: "a@b.test", clientAddress: nil), sender: "a@b.test", messageID: "1@b.test",
            isUTF8: false, recipients: recipients, plan: OutboxMessage.FilingPlan(), dueSince: 0,
            content: SubmissionMessage(whole: [], has8Bit: false))
    }

    /// A row that comes back before its acceptance could be noted is not handed over again.
    @Test func whatWasAcceptedIsNotPendingWhateverTheRowSays() {
        var row = message([.init("x@c.test"), .init("y@c.test"), .init("z@c.test", state: .rejected, code: "5.1.1")])
        let isNews = row.take([
            .init("x@c.test", state: .accepted), .init("y@c.test"), .init("z@c.test", state: .accepted),
        ])
        #expect(isNews && row.hasPending)
        #expect(row.recipients.map(\.state) == [.accepted, .pending, .rejected])
        // By then the database knows.
        let isNewsAgain = row.take([.init("x@c.test", state: .accepted)])
        #expect(!isNewsAgain)
    }

    /// A row that was refused as a whole comes back for its copy alone.
    @Test func whatWasRefusedAsAWholeIsNotSubmittedAgain() {
        var row = message([.init("x@c.test", state: .accepted), .init("y@c.test")])
        #expect(row.isToBeSubmitted)
        row.needsSubmission = false
        #expect(row.hasPending && !row.isToBeSubmitted)
    }

    @Test func whoIsNotTriedAnyMoreIsRejectedByName() {
        let row = message([
            .init("x@c.test", state: .accepted), .init("y@c.test"), .init("z@c.test", code: "4.2.2", message: "full"),
        ]).givenUp(code: "5.0.0", "refused")
        #expect(!row.hasPending)
        #expect(row.recipients.map(\.code) == [nil, "5.0.0", "4.2.2"])
        #expect(row.recipients.map(\.message) == [nil, "refused", "full"])
    }
}
