import Testing

@testable import SMTP
@testable import WebmailProxy

/// What an attempt that failed means to the message.
@Suite struct SubmissionOutcomeTests {
    private static func refused(_ replies: SMTPReply...) -> Submission.Outcome {
        let rejections = replies.map { Delivery.Rejection(recipient: "bob@example.test", reply: $0) }
        return Submission.Outcome(.refused(.rcpt, replies[0], recipients: rejections))
    }

    private static func reply(_ code: Int, _ text: String) -> SMTPReply { SMTPReply(code: code, texts: [text]) }

    private static func isRefusal(_ outcome: Submission.Outcome) -> Bool? {
        guard case .later(let later) = outcome else { return nil }
        return later.isRefusal
    }

    @Test func thePlatformsOwnTroubleIsToldFromARefusal() {
        let noDatabase = Self.reply(451, "4.3.0 <alice@example.test>: Temporary lookup failure")
        let full = Self.reply(452, "4.2.2 the mailbox is full")
        #expect(Self.isRefusal(Self.refused(noDatabase)) == false)
        #expect(Self.isRefusal(Self.refused(Self.reply(421, "4.7.0 closing"))) == false)
        #expect(Self.isRefusal(Self.refused(full)) == true)
        #expect(Self.isRefusal(Self.refused(noDatabase, full)) == true)
        #expect(Self.isRefusal(Self.refused(Self.reply(450, "4.7.1 too many"))) == true)
        #expect(Self.isRefusal(Submission.Outcome(.authenticationUnavailable(Self.reply(454, "4.7.0 later")))) == false)
        let noFilter = Self.reply(451, "4.7.1 Service unavailable - try again later")
        for stage in [SMTPError.Stage.mail, .message] {
            #expect(Self.isRefusal(Submission.Outcome(.refused(stage, noFilter, recipients: []))) == false)
        }
        let tooMany = Self.reply(450, "4.7.1 At most 100 recipients an hour may be sent to")
        #expect(Self.isRefusal(Submission.Outcome(.refused(.data, tooMany, recipients: []))) == true)
        // One of them for good, the other not.
        #expect(Self.isRefusal(Self.refused(Self.reply(550, "5.1.1 unknown"), noDatabase)) == false)
    }

    @Test func whatIsRefusedForGoodIsNotTriedAgain() {
        guard case .refused(_, let rejections) = Self.refused(Self.reply(550, "5.1.1 unknown")) else {
            Issue.record("it is tried again")
            return
        }
        #expect(rejections.count == 1)
    }

    @Test func aMessageRefusedWholeIsJudgedByThatReply() {
        func refused(_ reply: SMTPReply, after rejection: SMTPReply) -> Submission.Outcome {
            let rejections = [Delivery.Rejection(recipient: "bob@example.test", reply: rejection)]
            return Submission.Outcome(.refused(.message, reply, recipients: rejections))
        }
        let noFilter = Self.reply(451, "4.7.1 Service unavailable - try again later")
        guard case .later(let later) = refused(noFilter, after: Self.reply(550, "5.1.1 unknown")) else {
            Issue.record("for one unknown recipient the others get nothing")
            return
        }
        #expect(later.rejections.count == 1 && !later.isRefusal)
        guard case .refused = refused(Self.reply(554, "5.7.1 spam"), after: Self.reply(452, "4.2.2 full")) else {
            Issue.record("what is refused for good is tried again")
            return
        }
    }

    @Test func whatTheServerMayHaveIsInDoubt() {
        for error in [SMTPError.timeout(.message), .closed(.message)] {
            guard case .later(let later) = Submission.Outcome(error) else {
                Issue.record("\(error) is not tried again")
                continue
            }
            #expect(later.isDoubtful && !later.isServerAway)
        }
    }
}
