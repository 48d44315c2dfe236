import IMAP
import MIME
import MailModel

/// A message as a list shows it.
struct MessageItem: Sendable, Equatable {
    /// What a FETCH must bring for one.
    static let fetchItems: [FetchItem] = [
        .uid, .flags, .internalDate, .size, .envelope, .bodyStructure, .guid, .preview(),
    ]

    let uid: UInt32
    /// Survives a move: Dovecot's GUID; where a server has none, the message's place in its folder.
    let id: String
    /// With angle brackets.
    let messageID: String?
    /// Known where threads were asked for.
    var threadID: String?
    let subject: String
    let from: MIMEAddress?
    let to: [MIMEAddress]
    let cc: [MIMEAddress]
    /// The `Date` header, or the arrival where that cannot be read: milliseconds since 1970.
    let date: Int64
    /// The arrival in the folder: milliseconds since 1970.
    let receivedAt: Int64
    /// Bytes.
    let size: UInt64
    let flags: [MessageFlag]
    let hasAttachments: Bool
    /// One line, at most 200 characters.
    var preview: String

    /// - Returns: nil when the response lacks the uid: it is news of another message.
    init?(_ message: FetchedMessage, parts: MessageParts, uidValidity: UInt32) {
        guard let uid = message.uid, let envelope = message.envelope else { return nil }
        self.uid = uid
        id = message.guid ?? "\(uidValidity)-\(uid)"
        messageID = envelope.messageID.map(MailText.withoutLineEnds)
        subject = MailText.decode(envelope.subject)
        from = MailText.addresses(envelope.from).first
        to = MailText.addresses(envelope.to)
        cc = MailText.addresses(envelope.cc)
        receivedAt = (message.internalDate?.secondsSince1970 ?? 0) * 1000
        date = envelope.date.flatMap { MIMEHeader.date(Array($0.utf8)) } ?? receivedAt
        size = message.size ?? 0
        flags = (message.flags ?? []).filter { $0 != .recent }
        hasAttachments = parts.hasAttachments
        preview = message.preview ?? ""
    }

    func writeFields(to json: inout JSONWriter) {
        writeHead(to: &json)
        Self.write(flags, to: &json)
        writeTail(to: &json)
    }

    /// What never changes, up to the flags.
    func writeHead(to json: inout JSONWriter) {
        json.field("uid", uid)
        json.field("id", id)
        json.field("message_id", messageID)
        json.field("thread_id", threadID)
        json.field("subject", subject)
        json.field("from_addr", from?.address ?? "")
        json.field("from_name", from?.name ?? "")
        json.field("to", to)
        json.field("cc", cc)
        json.field("date", at: date)
        json.field("received_at", at: receivedAt)
        json.field("size", size)
    }

    static func write(_ flags: [MessageFlag], to json: inout JSONWriter) {
        json.key("flags")
        json.array(flags) { $0.value($1.rawValue) }
        json.field("seen", flags.contains(.seen))
        json.field("flagged", flags.contains(.flagged))
        json.field("answered", flags.contains(.answered))
        json.field("draft", flags.contains(.draft))
    }

    /// What never changes, after the flags.
    func writeTail(to json: inout JSONWriter) {
        json.field("has_attachments", hasAttachments)
        json.field("preview", preview)
    }
}

extension JSONWriter {
    mutating func field(_ name: StaticString, _ addresses: [MIMEAddress]) {
        key(name)
        array(addresses) { json, address in
            json.object { json in
                json.field("addr", address.address)
                json.field("name", address.name)
            }
        }
    }
}
