import HTTPService
import HTTPTypes
import Hummingbird
import MIME
import MailModel
import Storage

/// Sending.
///
/// What is answered with 202 is in the outbox, and nothing less than its own end (sent, failed, stopped) takes it out.
struct SendRoutes: Sendable {
    /// How long a call waits for the submission of its message before it is answered that it is queued.
    private static let patience = Duration.seconds(3)

    let access: MailboxAccess
    let outbox: Outbox
    let attachments: Attachments
    let signatures: SignatureText
    /// Told whom a message goes to, for the address book.
    let harvest: ContactHarvest
    /// Bytes.
    let maximumBody: Int

    func send(_ request: Request, _ context: CallerContext) async throws -> Response {
        let mailbox = try await access.mailbox(request, context, scope: "mail:write")
        if let made = context.idempotency?.made { return try await answerAgain(made, mailbox) }
        var draft = try await request.decode(SendRequest.self, upTo: maximumBody)
        try await signatures.append(to: &draft, of: mailbox)
        let now = Timestamp.now()
        var message = try draft.message(from: mailbox.address, now: now)
        let recipients = try SendRequest.recipients(of: message)
        let time = try draft.time(now: now)
        var plan = try draft.plan(for: message)
        if plan.draftUID != nil {
            plan.draftUIDValidity = try request.uidValidity
            // By the time it is sent, Drafts may be another folder of that name.
            if plan.draftUIDValidity == nil, time != nil {
                plan.draftUIDValidity = await uidValidityOfDrafts(mailbox)
            }
        }
        do { plan.copyHeaders = String(decoding: try message.bccHeader(), as: UTF8.self) } catch {
            throw Failure(error)
        }
        // Unlike a message id, which may be sent twice on purpose, it marks copies of one sending
        // (deploy/sieve/outbox.sieve).
        message.headers.append(MIMEHeader(name: "X-Xynap-Outbox-ID", value: OutgoingMessage.makeOutboxID()))
        let found = try await attachments.resolve(draft.attachments, of: mailbox)
        let composed = try await ComposedMessage(message, found) { try await attachments.all(of: $0, mailbox) }
        let entry = NewOutboxMessage(
            mailbox: mailbox.address, sender: message.from.address, messageID: message.messageID,
            subject: message.subject, is8Bit: composed.has8Bit, isUTF8: message.hasUTF8Headers,
            recipients: recipients, plan: plan, sendAt: time, uploads: found.compactMap(\.uploadID))
        let written = try await OutboxWriter(outbox: outbox, attachments: attachments)
            .put(composed, entry, of: mailbox, claim: context.idempotency)
        harvest.wroteTo(mailbox.address, message.to + message.cc + message.bcc, at: message.date)
        guard time == nil else { return SendAnswer(written.lease.id, entry, .queued([])).response }
        let job = Outbox.Message(
            mailbox: mailbox, sender: entry.sender, messageID: entry.messageID, isUTF8: entry.isUTF8,
            recipients: recipients.map { OutboxMessage.Recipient($0) }, plan: plan, dueSince: now,
            content: written.content)
        // A large message takes longer to hand over.
        let patience = Self.patience + .milliseconds(composed.size >> 10)
        let result = await outbox.submit(job, written.lease, written.early, waitingFor: patience) ?? .queued([])
        if case .failed(let failure) = result { throw failure }
        return SendAnswer(written.lease.id, entry, result).response
    }

    /// - Returns: nil when the mail server does not tell in time: the message is sent all the same.
    private func uidValidityOfDrafts(_ mailbox: Mailbox) async -> UInt32? {
        try? await attachments.sessions.withSession(of: mailbox) { session in
            try await session.select(try await session.folder(of: .drafts)).uidValidity
        }
    }

    /// To a call that is made again with its `Idempotency-Key`: how far its message has come.
    private func answerAgain(_ id: Int64, _ mailbox: Mailbox) async throws -> Response {
        let message = try await outbox.store.find(id, mailbox: mailbox.address)
        // It was refused while the first call waited.
        if message.state == .failed, message.attempts <= 1, message.sendAt == nil, let failure = message.failure {
            throw failure
        }
        return SendAnswer(message).response
    }
}

/// The answer to a sent message.
struct SendAnswer {
    private let id: Int64
    private let messageID: String
    private let state: String
    private let accepted: [String]
    private let rejected: [OutboxMessage.Recipient]
    private let copy: Filing.Copy?
    private let sendAt: Int64?

    init(_ id: Int64, _ message: NewOutboxMessage, _ result: Outbox.Result) {
        self.id = id
        messageID = message.messageID
        sendAt = message.sendAt
        let recipients: [OutboxMessage.Recipient]
        switch result {
        case .sent(let all, let copy): (state, recipients, self.copy) = ("sent", all, copy)
        case .queued(let all): (state, recipients, copy) = ("queued", all, nil)
        case .failed: (state, recipients, copy) = ("failed", [], nil)
        }
        accepted = recipients.filter { $0.state == .accepted }.map(\.address)
        rejected = recipients.filter { $0.state == .rejected }
    }

    init(_ message: OutboxMessage) {
        id = message.id
        messageID = message.messageID
        state = message.state.shown
        accepted = message.accepted
        rejected = message.rejected
        copy = message.copy
        sendAt = message.sendAt
    }

    var response: Response {
        var json = JSONWriter()
        json.object { json in
            json.field("id", id)
            json.field("message_id", "<\(messageID)>")
            json.field("state", state)
            json.field("accepted", accepted)
            json.key("rejected")
            json.recipients(rejected)
            json.key("sent")
            json.copy(copy)
            json.field("send_at", sendAt.map { Timestamp.rfc3339(milliseconds: $0) })
        }
        return .json(json.bytes, status: .accepted)
    }
}

extension OutboxMessage.State {
    /// As the API tells it.
    var shown: String {
        switch self {
        case .composing, .queued, .submitting: "queued"
        case .sent, .failed, .stopped: rawValue
        }
    }
}

extension OutboxMessage {
    var copy: Filing.Copy? { sentFolder.map { Filing.Copy(folder: $0, uid: sentUID) } }

    /// What the call that sent it was answered.
    fileprivate var failure: Failure? {
        guard let trouble else { return nil }
        switch trouble.code {
        case Submission.senderRefused.outboxCode: return Submission.senderRefused
        case "message_too_large": return Failure(.tooLarge, code: trouble.code, trouble.message)
        case "invalid_address", "utf8_unavailable": return .invalid("to", code: trouble.code, trouble.message)
        case "not_found": return Failure(.notFound, code: trouble.code, trouble.message)
        case "no_active_mailbox": return .conflict(trouble.code, trouble.message)
        default:
            let fields = rejected.map { Failure.Field($0.address, code: $0.code ?? "", $0.message ?? "") }
            return Failure(.upstream, code: trouble.code, trouble.message, fields: fields)
        }
    }
}

extension JSONWriter {
    mutating func recipients(_ rejected: [OutboxMessage.Recipient]) {
        array(rejected) { json, rejection in
            json.object { json in
                json.field("address", rejection.address)
                json.field("code", rejection.code)
                json.field("message", rejection.message)
            }
        }
    }

    mutating func copy(_ copy: Filing.Copy?) {
        guard let copy else { return null() }
        object { json in
            json.field("folder", copy.folder)
            json.field("uid", copy.uid)
        }
    }
}

extension OutgoingMessage {
    /// 128 random bits: who does not know them cannot name the sending.
    fileprivate static func makeOutboxID() -> String { String(makeMessageID(domain: "-").dropLast(2)) }
}
