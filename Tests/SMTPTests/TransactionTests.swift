import Testing

@testable import SMTP

@Suite("Transactions")
struct TransactionTests {
    private func capabilities(_ keywords: String...) -> SMTPCapabilities {
        SMTPCapabilities(ehlo: SMTPReply(code: 250, texts: ["server"] + keywords))
    }

    /// Plays a server's answers; gives what was sent, and the last step.
    private func play(
        _ codes: [Int], recipients: [String] = ["a@x.y", "b@x.y"], pipelined: Bool
    ) throws -> (sent: [String], last: MailTransaction.Step?) {
        var transaction = try MailTransaction(
            Envelope(sender: "s@x.y", recipients: recipients), size: 1, has8Bit: false,
            capabilities: pipelined ? capabilities("PIPELINING") : capabilities())
        var sent: [String] = []
        var step: MailTransaction.Step? = transaction.start
        for code in [0] + codes {
            if code != 0 { step = transaction.receive(SMTPReply(code: code, texts: ["\(code / 100).1.\(sent.count)"])) }
            switch step {
            case .send(let commands): sent += commands.map { String(decoding: $0.bytes.prefix(4), as: UTF8.self) }
            case .sendMessage: sent.append("message")
            case .sendEmptyMessage: sent.append("empty")
            default: break
            }
        }
        return (sent, step)
    }

    @Test("All accepted: one flush with PIPELINING, one command at a time without", arguments: [true, false])
    func accepted(pipelined: Bool) throws {
        let (sent, last) = try play([250, 250, 251, 354, 250], pipelined: pipelined)
        #expect(sent == ["MAIL", "RCPT", "RCPT", "DATA", "message"])
        guard case .finished(let delivery)? = last else {
            Issue.record("not finished")
            return
        }
        #expect(delivery.accepted == ["a@x.y", "b@x.y"] && delivery.rejected.isEmpty)
    }

    @Test("One recipient refused: the other is served", arguments: [true, false])
    func partly(pipelined: Bool) throws {
        let (_, last) = try play([250, 550, 250, 354, 250], pipelined: pipelined)
        guard case .finished(let delivery)? = last else {
            Issue.record("not finished")
            return
        }
        #expect(delivery.accepted == ["b@x.y"])
        #expect(delivery.rejected.map(\.recipient) == ["a@x.y"])
        #expect(delivery.rejected[0].reply.enhancedStatus?.severity == 5)
    }

    @Test("All recipients refused")
    func noRecipients() throws {
        for codes in [[250, 550, 450, 554], [250, 550, 450]] {
            let (sent, last) = try play(codes, pipelined: codes.count == 4)
            guard case .failed(.refused(.rcpt, let reply, let rejected), needsReset: true)? = last else {
                Issue.record("\(String(describing: last))")
                continue
            }
            #expect(reply.code == 550 && rejected.map(\.reply.code) == [550, 450] && !sent.contains("message"))
        }
    }

    @Test("354 although nobody was accepted: the empty message, never the real one (RFC 2920 §3.1)")
    func emptyMessage() throws {
        for (codes, stage) in [([250, 550, 550, 354, 554], SMTPError.Stage.rcpt), ([553, 250, 250, 354, 250], .mail)] {
            let (sent, last) = try play(codes, pipelined: true)
            #expect(sent.last == "empty")
            guard case .failed(.refused(let at, _, _), needsReset: false)? = last else {
                Issue.record("\(String(describing: last))")
                continue
            }
            #expect(at == stage)
        }
    }

    @Test("Refused sender, DATA and message")
    func refusals() throws {
        #expect(try play([553, 503, 503, 503], pipelined: true).last.map(Self.stage) == .mail)
        #expect(try play([553], pipelined: false).last.map(Self.stage) == .mail)
        #expect(try play([250, 250, 250, 451], pipelined: true).last.map(Self.stage) == .data)
        #expect(try play([250, 250, 250, 354, 552], pipelined: true).last.map(Self.stage) == .message)
    }

    private static func stage(_ step: MailTransaction.Step) -> SMTPError.Stage? {
        if case .failed(.refused(let stage, _, _), _) = step { stage } else { nil }
    }

    @Test("What the server cannot take is not begun")
    func limits() throws {
        let international = Envelope(sender: "jörg@x.y", recipients: ["a@x.y"])
        #expect(throws: SMTPError.utf8Unavailable) {
            try MailTransaction(international, size: 0, has8Bit: false, capabilities: capabilities())
        }
        #expect(throws: SMTPError.tooLarge(limit: 10)) {
            try MailTransaction(
                Envelope(sender: "", recipients: ["a@x.y"]), size: 11, has8Bit: false,
                capabilities: capabilities("SIZE 10"))
        }
        #expect(throws: SMTPError.self) {
            try MailTransaction(
                Envelope(sender: "", recipients: []), size: 0, has8Bit: false, capabilities: capabilities())
        }
        let full = capabilities("SIZE 0", "8BITMIME", "SMTPUTF8")
        guard
            case .send(let commands) = try MailTransaction(international, size: 1, has8Bit: true, capabilities: full)
                .start
        else { return }
        #expect(
            String(decoding: commands[0].bytes, as: UTF8.self)
                == "MAIL FROM:<jörg@x.y> SIZE=1 BODY=8BITMIME SMTPUTF8\r\n")
    }
}
