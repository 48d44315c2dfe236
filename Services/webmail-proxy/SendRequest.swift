import MIME
import MailModel
import Storage

/// The body of a message to be sent or kept as a draft, as a client gives it.
struct SendRequest: Decodable, Sendable {
    /// The message that is answered or forwarded, and gets a flag for it.
    struct Original: Decodable, Sendable {
        enum Relation: String, Decodable, Sendable { case reply, forward }

        let folder: String
        /// Without it the message with the id `in_reply_to` is looked for.
        let uid: UInt32?
        let uidValidity: UInt32?
        let relation: Relation?

        enum CodingKeys: String, CodingKey {
            case folder, uid, relation
            case uidValidity = "uid_validity"
        }
    }

    var to: [Recipient] = []
    var cc: [Recipient] = []
    var bcc: [Recipient] = []
    let subject: String
    var html: String?
    var plain: String?
    let inReplyTo: String?
    let references: [String]
    let from: Recipient?
    let replyTo: Recipient?
    let attachments: [AttachmentRequest]
    let headers: [String: String]
    let original: Original?
    /// The draft that this message was; it is removed once the message was accepted.
    let draftUID: UInt32?
    let signatureID: Int64?
    /// RFC 3339.
    let sendAt: String?
    let undoSeconds: Int?

    private static let maximumRecipients = 500
    /// Bytes.
    private static let maximumSubject = 2000
    private static let maximumHeaders = 100
    /// Of one header: bytes.
    private static let maximumHeader = 8192
    private static let maximumUndo = 120
    private static let maximumDelay: Int64 = 366 * 86_400_000

    enum CodingKeys: String, CodingKey {
        case to, cc, bcc, subject, html, plain, references, from, attachments, headers, original
        case inReplyTo = "in_reply_to"
        case replyTo = "reply_to"
        case draftUID = "draft_uid"
        case signatureID = "signature_id"
        case sendAt = "send_at"
        case undoSeconds = "undo_seconds"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        to = try fields.decodeIfPresent([Recipient].self, forKey: .to) ?? []
        cc = try fields.decodeIfPresent([Recipient].self, forKey: .cc) ?? []
        bcc = try fields.decodeIfPresent([Recipient].self, forKey: .bcc) ?? []
        subject = try fields.decodeIfPresent(String.self, forKey: .subject) ?? ""
        html = try fields.decodeIfPresent(String.self, forKey: .html)
        plain = try fields.decodeIfPresent(String.self, forKey: .plain)
        inReplyTo = try fields.decodeIfPresent(String.self, forKey: .inReplyTo)
        references = try fields.decodeIfPresent([String].self, forKey: .references) ?? []
        self.from = try fields.decodeIfPresent(Recipient.self, forKey: .from)
        replyTo = try fields.decodeIfPresent(Recipient.self, forKey: .replyTo)
        attachments = try fields.decodeIfPresent([AttachmentRequest].self, forKey: .attachments) ?? []
        headers = try fields.decodeIfPresent([String: String].self, forKey: .headers) ?? [:]
        original = try fields.decodeIfPresent(Original.self, forKey: .original)
        draftUID = try fields.decodeIfPresent(UInt32.self, forKey: .draftUID)
        signatureID = try fields.decodeIfPresent(Int64.self, forKey: .signatureID)
        sendAt = try fields.decodeIfPresent(String.self, forKey: .sendAt)
        undoSeconds = try fields.decodeIfPresent(Int.self, forKey: .undoSeconds)
    }

    /// The message, but for its attachments.
    ///
    /// - Parameters:
    ///   - account: The mailbox it is sent from; the author unless `from` names another address.
    ///   - now: Milliseconds since 1970.
    /// - Throws: `Failure` of kind `invalid` naming the field.
    func message(from account: String, now: Int64) throws(Failure) -> OutgoingMessage {
        let author = try self.from?.address(field: "from") ?? MIMEAddress(address: account)
        let domain = author.address.split(separator: "@").last.map(String.init) ?? "localhost"
        var message = OutgoingMessage(from: author, date: now, messageID: OutgoingMessage.makeMessageID(domain: domain))
        message.to = try Self.addresses(to, field: "to")
        message.cc = try Self.addresses(cc, field: "cc")
        message.bcc = try Self.addresses(bcc, field: "bcc")
        if let replyTo { message.replyTo = [try replyTo.address(field: "reply_to")] }
        guard subject.utf8.count <= Self.maximumSubject else {
            throw .invalid("subject", code: "too_long", "must be at most \(Self.maximumSubject) bytes")
        }
        message.subject = subject
        message.plain = plain
        message.html = html
        message.inReplyTo = try inReplyTo.map { id throws(Failure) in try Self.messageID(id, field: "in_reply_to") }
        message.references = try Self.references(references, after: message.inReplyTo)
        guard headers.count <= Self.maximumHeaders else {
            throw .invalid("headers", code: "too_many", "at most \(Self.maximumHeaders)")
        }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
            // Those have a meaning to our own servers.
            guard !name.lowercased().hasPrefix("x-xynap-") else {
                throw .invalid("headers.\(name)", code: "invalid_header", "cannot be set")
            }
            guard name.utf8.count + value.utf8.count <= Self.maximumHeader else {
                throw .invalid("headers", code: "too_long", "each must be at most \(Self.maximumHeader) bytes")
            }
            message.headers.append(MIMEHeader(name: name, value: value))
        }
        return message
    }

    /// Everybody the message goes to, each once.
    ///
    /// - Throws: `Failure` of kind `invalid` for nobody and for too many.
    static func recipients(of message: OutgoingMessage) throws(Failure) -> [String] {
        var seen: Set<String> = []
        let recipients = (message.to + message.cc + message.bcc).map(\.address).filter { seen.insert($0).inserted }
        guard !recipients.isEmpty else { throw .invalid("to", code: "required", "there must be a recipient") }
        guard recipients.count <= maximumRecipients else {
            throw .invalid("to", code: "too_many", "at most \(maximumRecipients) recipients in all")
        }
        return recipients
    }

    /// When it is to be sent: milliseconds since 1970; nil is now.
    ///
    /// - Throws: `Failure` of kind `invalid`.
    func time(now: Int64) throws(Failure) -> Int64? {
        var time: Int64?
        if let sendAt {
            guard let at = Timestamp.milliseconds(rfc3339: sendAt) else {
                throw .invalid("send_at", code: "invalid_time", "must be a time such as 2030-01-31T08:00:00Z")
            }
            guard at <= now + Self.maximumDelay else {
                throw .invalid("send_at", code: "out_of_range", "must be within a year")
            }
            if at > now { time = at }
        }
        if let undoSeconds {
            guard (0...Self.maximumUndo).contains(undoSeconds) else {
                throw .invalid("undo_seconds", code: "out_of_range", "must be from 0 to \(Self.maximumUndo)")
            }
            if undoSeconds > 0 { time = max(time ?? 0, now + Int64(undoSeconds) * 1000) }
        }
        return time
    }

    /// What is to be done in the mailbox once the message was accepted.
    ///
    /// - Throws: `Failure` of kind `invalid`.
    func plan(for message: OutgoingMessage) throws(Failure) -> OutboxMessage.FilingPlan {
        var plan = OutboxMessage.FilingPlan(draftUID: draftUID)
        guard let original else { return plan }
        guard !original.folder.isEmpty, original.folder.utf8.count <= 1000,
            original.folder.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw .invalid("original.folder", code: "invalid_folder", "must be the path of a folder") }
        guard original.uid.map({ $0 > 0 && $0 < .max }) ?? (message.inReplyTo != nil) else {
            throw .invalid("original.uid", code: "required", "must be a uid; without one, in_reply_to must be given")
        }
        plan.original = OutboxMessage.FilingPlan.Original(
            folder: original.folder, uid: original.uid, uidValidity: original.uidValidity,
            messageID: original.uid == nil ? message.inReplyTo : nil,
            flag: original.relation == .forward ? "$Forwarded" : "\\Answered")
        return plan
    }

    private static func addresses(_ list: [Recipient], field: String) throws(Failure) -> [MIMEAddress] {
        var addresses: [MIMEAddress] = []
        for (index, recipient) in list.enumerated() {
            addresses.append(try recipient.address(field: "\(field).\(index)"))
        }
        return addresses
    }

    /// - Parameter text: With or without angle brackets.
    /// - Returns: Without them.
    private static func messageID(_ text: String, field: String) throws(Failure) -> String {
        let bracketed = text.hasPrefix("<") ? text : "<\(text)>"
        let ids = MIMEHeader.messageIDs(Array(bracketed.utf8))
        guard ids.count == 1, "<\(ids[0])>" == bracketed, text.utf8.count <= 990 else {
            throw .invalid(field, code: "invalid_message_id", "must be one message id such as <abc@example.com>")
        }
        return ids[0]
    }

    /// What is answered comes last (RFC 5322 §3.6.4).
    private static func references(_ list: [String], after inReplyTo: String?) throws(Failure) -> [String] {
        guard list.count <= 200 else { throw .invalid("references", code: "too_many", "at most 200") }
        var ids: [String] = []
        for (index, text) in list.enumerated() { ids.append(try messageID(text, field: "references.\(index)")) }
        if let inReplyTo, ids.last != inReplyTo { ids.append(inReplyTo) }
        return ids
    }
}
