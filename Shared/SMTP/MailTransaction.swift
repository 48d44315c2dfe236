/// One message on its way (RFC 5321 §3.3): which commands to send, and what their replies mean. Does no I/O.
struct MailTransaction {
    /// What to do after the replies so far.
    enum Step: Equatable {
        /// Send these together and feed as many replies.
        case send([SMTPCommand])
        case sendMessage
        /// The server waits for a message that it must not get: end it at once (RFC 2920 §3.1).
        case sendEmptyMessage
        case finished(Delivery)
        /// RSET where `needsReset`, then fail.
        case failed(SMTPError, needsReset: Bool)
    }

    private enum Phase { case mail, recipients, data, message, emptyMessage }

    private let recipients: [String]
    private let isPipelined: Bool
    private let mail: SMTPCommand
    private let recipientCommands: [SMTPCommand]
    private var phase = Phase.mail
    private var refusedMail: SMTPReply?
    private var accepted: [String] = []
    private var rejected: [Delivery.Rejection] = []

    /// - Parameters:
    ///   - size: Of the message: bytes.
    ///   - has8Bit: It holds bytes beyond ASCII.
    /// - Throws: `SMTPError.invalidArgument`, `.tooLarge`, `.utf8Unavailable`: nothing has been sent then.
    init(
        _ envelope: Envelope, size: Int, has8Bit: Bool, capabilities: SMTPCapabilities
    ) throws(SMTPError) {
        guard !envelope.recipients.isEmpty else { throw .invalidArgument("no recipients") }
        if let limit = capabilities.sizeLimit, size > limit { throw .tooLarge(limit: limit) }
        let isUTF8 =
            envelope.hasUTF8Headers
            || ([envelope.sender] + envelope.recipients).contains { $0.utf8.contains { $0 >= 0x80 } }
        if isUTF8, !capabilities.hasSMTPUTF8 { throw .utf8Unavailable }
        let is8Bit = capabilities.has8BitMIME && (isUTF8 || has8Bit)
        self.mail = try .mail(
            envelope.sender, size: capabilities.has("SIZE") ? size : nil, is8Bit: is8Bit, isUTF8: isUTF8)
        var commands: [SMTPCommand] = []
        for recipient in envelope.recipients { commands.append(try .recipient(recipient)) }
        self.recipientCommands = commands
        self.recipients = envelope.recipients
        self.isPipelined = capabilities.hasPipelining
    }

    /// The first step.
    var start: Step { .send(isPipelined ? [mail] + recipientCommands + [.data] : [mail]) }

    /// - Parameter reply: to the oldest command not yet answered.
    /// - Returns: the next step; nil while replies to a group are still to come.
    mutating func receive(_ reply: SMTPReply) -> Step? {
        switch phase {
        case .mail:
            if !reply.isPositive { refusedMail = reply }
            if !isPipelined, let refusedMail {
                return .failed(.refused(.mail, refusedMail, recipients: []), needsReset: true)
            }
            phase = .recipients
            return isPipelined ? nil : .send([recipientCommands[0]])
        case .recipients:
            note(reply)
            return isPipelined ? nil : nextAlone()
        case .data:
            return receiveData(reply)
        case .message:
            guard reply.isPositive else {
                return .failed(.refused(.message, reply, recipients: rejected), needsReset: false)
            }
            return .finished(Delivery(accepted: accepted, rejected: rejected, reply: reply))
        case .emptyMessage:
            return .failed(refusal(reply), needsReset: false)
        }
    }

    /// - Parameter replies: To all that was sent last.
    mutating func receive(_ replies: [SMTPReply]) throws(SMTPError) -> Step {
        var step: Step?
        for reply in replies { step = receive(reply) }
        guard let step else { throw .protocolViolation("a reply is missing") }
        return step
    }

    private mutating func note(_ reply: SMTPReply) {
        let recipient = recipients[accepted.count + rejected.count]
        if reply.isPositive {
            accepted.append(recipient)
        } else {
            rejected.append(Delivery.Rejection(recipient: recipient, reply: reply))
        }
        if accepted.count + rejected.count == recipients.count { phase = .data }
    }

    /// Without PIPELINING: the next recipient, then DATA if any was accepted.
    private func nextAlone() -> Step {
        let answered = accepted.count + rejected.count
        if answered < recipients.count { return .send([recipientCommands[answered]]) }
        guard let last = rejected.last, accepted.isEmpty else { return .send([.data]) }
        return .failed(refusal(last.reply), needsReset: true)
    }

    private mutating func receiveData(_ reply: SMTPReply) -> Step {
        guard reply.code == 354 else { return .failed(refusal(reply), needsReset: true) }
        if refusedMail == nil, !accepted.isEmpty {
            phase = .message
            return .sendMessage
        }
        phase = .emptyMessage
        return .sendEmptyMessage
    }

    /// What the caller should hear of: the sender's refusal, the recipients', or that of DATA.
    private func refusal(_ reply: SMTPReply) -> SMTPError {
        if let refusedMail { return .refused(.mail, refusedMail, recipients: []) }
        if accepted.isEmpty, let first = rejected.first { return .refused(.rcpt, first.reply, recipients: rejected) }
        return .refused(.data, reply, recipients: rejected)
    }
}
