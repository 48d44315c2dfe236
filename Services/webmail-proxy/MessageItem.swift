import HTTPService
import IMAP
import MIME
import MailModel

/// A message as a list shows it.
struct MessageItem: Sendable {
    /// What a FETCH must bring for one.
    static let fetchItems: [FetchItem] = [
        .uid, .flags, .internalDate, .size, .envelope, .bodyStructure, .guid, .preview(),
    ]

    let uid: UInt32
    /// Survives a move: Dovecot's GUID; where a server has none, the message's place in its folder.
    let id: String
    /// Known where threads were asked for.
    var threadID: String?
    let flags: [MessageFlag]
    /// One line, at most 200 characters.
    var preview: String
    private let envelope: MessageEnvelope
    /// The arrival in the folder: milliseconds since 1970.
    private let receivedAt: Int64
    /// Bytes.
    private let size: UInt64
    private let hasAttachments: Bool

    /// - Returns: nil when the response lacks the uid: it is news of another message.
    init?(_ message: FetchedMessage, hasAttachments: Bool, uidValidity: UInt32) {
        guard let uid = message.uid, let envelope = message.envelope else { return nil }
        self.uid = uid
        self.envelope = envelope
        self.hasAttachments = hasAttachments
        id = message.guid ?? "\(uidValidity)-\(uid)"
        receivedAt = (message.internalDate?.secondsSince1970 ?? 0) * 1000
        size = message.size ?? 0
        flags = (message.flags ?? []).filter { $0 != .recent }
        preview = message.preview ?? ""
    }

    /// What never changes, up to the flags.
    func writeHead(to json: inout JSONWriter) {
        json.field("uid", uid)
        json.field("id", id)
        // With angle brackets.
        json.field("message_id", envelope.messageID.map(MailText.withoutLineEnds))
        json.field("thread_id", threadID)
        json.field("subject", text: envelope.subject)
        let from = envelope.from.first { $0.isMailbox }
        json.field("from_addr", addressOf: from)
        json.field("from_name", text: from?.name)
        json.field("to", envelope.to)
        json.field("cc", envelope.cc)
        // Where the header cannot be read, the arrival.
        json.field("date", at: envelope.date.flatMap(MIMEHeader.date) ?? receivedAt)
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
    /// The mailboxes of an address list of an ENVELOPE.
    fileprivate mutating func field(_ name: StaticString, _ addresses: [EnvelopeAddress]) {
        key(name)
        array(addresses.lazy.filter(\.isMailbox)) { json, address in
            json.object { json in
                json.field("addr", addressOf: address)
                json.field("name", text: address.name)
            }
        }
    }

    /// A text of an ENVELOPE, decoded; empty for nil.
    fileprivate mutating func field(_ name: StaticString, text: String?) {
        key(name)
        value(MailText.decode(text))
    }

    fileprivate mutating func field(_ name: StaticString, addressOf entry: EnvelopeAddress?) {
        key(name)
        if let mailbox = entry?.mailbox, let host = entry?.host, MailText.isPlain(mailbox), MailText.isPlain(host) {
            value(mailbox, "@", host)
        } else {
            value(MailText.decode(entry?.address))
        }
    }

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
