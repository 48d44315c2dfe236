import MailModel
import SMTP
import Storage

extension Outbox {
    /// What is known of a row that is worked on.
    struct Message: Sendable {
        let mailbox: Mailbox
        let sender: String
        let messageID: String
        let isUTF8: Bool
        var recipients: [OutboxMessage.Recipient]
        let plan: OutboxMessage.FilingPlan
        /// Accepted by the server already, but not yet filed.
        var isFilingDue = false
        /// Filed, or given up, when some recipients had it.
        var isFiled = false
        var isFirstFiling = true
        var needsSubmission = true
        var attempts = 1
        var filingAttempts = 0
        /// Milliseconds since 1970: since when it has been due.
        let dueSince: Int64
        let content: SubmissionMessage
    }
}

extension Outbox.Message {
    var hasPending: Bool { recipients.contains { $0.state == .pending } }

    /// Whether somebody is still to get it: nobody is of what was refused as a whole, though some be pending.
    var isToBeSubmitted: Bool { needsSubmission && hasPending }

    /// Takes over what is known of recipients that the row calls pending.
    ///
    /// - Returns: Whether anybody was accepted of whom the row does not know.
    mutating func take(_ known: [OutboxMessage.Recipient]) -> Bool {
        let known = Dictionary(known.map { ($0.address, $0) }) { first, _ in first }
        var isNews = false
        for index in recipients.indices where recipients[index].state == .pending {
            guard let recipient = known[recipients[index].address] else { continue }
            recipients[index] = recipient
            isNews = isNews || recipient.state == .accepted
        }
        return isNews
    }

    /// - Parameter rejected: Refusals that may pass leave their recipients pending.
    mutating func note(accepted: [String], rejected: [Delivery.Rejection]) {
        let accepted = Set(accepted)
        let rejections = Dictionary(rejected.map { ($0.recipient, $0.reply) }) { first, _ in first }
        for index in recipients.indices where recipients[index].state == .pending {
            let address = recipients[index].address
            if accepted.contains(address) {
                recipients[index] = OutboxMessage.Recipient(address, state: .accepted)
            } else if let reply = rejections[address] {
                recipients[index].state = reply.isTransient ? .pending : .rejected
                recipients[index].code = reply.statusText
                recipients[index].message = reply.text
            }
        }
    }

    /// With every recipient that was still waited for refused, for this reason where the server has given none.
    func givenUp(code: String, _ text: String) -> Self {
        var copy = self
        for index in copy.recipients.indices where copy.recipients[index].state == .pending {
            copy.recipients[index].state = .rejected
            if copy.recipients[index].code == nil { copy.recipients[index].code = code }
            if copy.recipients[index].message == nil { copy.recipients[index].message = text }
        }
        return copy
    }
}

extension Failure {
    /// The word an outbox row keeps of it: of a refused field the field's own.
    var outboxCode: String { kind == .invalid ? fields.first?.code ?? code : code }
}
