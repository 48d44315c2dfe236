import FoundationEssentials
import MIME
import MailModel

/// The body of a message to be sent, as a client gives it.
struct SendRequest: Decodable, Sendable {
    struct Attachment: Decodable, Sendable {
        let filename: String
        let contentType: String?
        /// Base64 (RFC 4648 §4).
        let content: String
        /// With it the part stands in the HTML, as `cid:…`.
        let contentID: String?

        enum CodingKeys: String, CodingKey {
            case filename, content
            case contentType = "content_type"
            case contentID = "content_id"
        }
    }

    var to: [Recipient] = []
    var cc: [Recipient] = []
    var bcc: [Recipient] = []
    let subject: String
    let html: String?
    let plain: String?
    let inReplyTo: String?
    let references: [String]
    let from: Recipient?
    let replyTo: Recipient?
    let attachments: [Attachment]
    let headers: [String: String]

    private static let maximumRecipients = 500

    enum CodingKeys: String, CodingKey {
        case to, cc, bcc, subject, html, plain, references, from, attachments, headers
        case inReplyTo = "in_reply_to"
        case replyTo = "reply_to"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        to = try fields.decode([Recipient].self, forKey: .to)
        cc = try fields.decodeIfPresent([Recipient].self, forKey: .cc) ?? []
        bcc = try fields.decodeIfPresent([Recipient].self, forKey: .bcc) ?? []
        subject = try fields.decodeIfPresent(String.self, forKey: .subject) ?? ""
        html = try fields.decodeIfPresent(String.self, forKey: .html)
        plain = try fields.decodeIfPresent(String.self, forKey: .plain)
        inReplyTo = try fields.decodeIfPresent(String.self, forKey: .inReplyTo)
        references = try fields.decodeIfPresent([String].self, forKey: .references) ?? []
        self.from = try fields.decodeIfPresent(Recipient.self, forKey: .from)
        replyTo = try fields.decodeIfPresent(Recipient.self, forKey: .replyTo)
        attachments = try fields.decodeIfPresent([Attachment].self, forKey: .attachments) ?? []
        headers = try fields.decodeIfPresent([String: String].self, forKey: .headers) ?? [:]
    }

    /// The message, and everybody it goes to.
    ///
    /// - Parameters:
    ///   - account: The mailbox it is sent from; the author unless `from` names another address.
    ///   - now: Milliseconds since 1970.
    /// - Throws: `Failure` of kind `invalid` naming the field.
    func message(from account: String, now: Int64) throws(Failure) -> (message: OutgoingMessage, recipients: [String]) {
        let author = try self.from?.address(field: "from") ?? MIMEAddress(address: account)
        let domain = author.address.split(separator: "@").last.map(String.init) ?? "localhost"
        var message = OutgoingMessage(from: author, date: now, messageID: OutgoingMessage.makeMessageID(domain: domain))
        message.to = try Self.addresses(to, field: "to")
        message.cc = try Self.addresses(cc, field: "cc")
        let blind = try Self.addresses(bcc, field: "bcc")
        if let replyTo { message.replyTo = [try replyTo.address(field: "reply_to")] }
        message.subject = subject
        message.plain = plain
        message.html = html
        message.inReplyTo = try inReplyTo.map { id throws(Failure) in try Self.messageID(id, field: "in_reply_to") }
        message.references = try Self.references(references, after: message.inReplyTo)
        message.headers = headers.sorted { $0.key < $1.key }.map { MIMEHeader(name: $0.key, value: $0.value) }
        for (index, attachment) in attachments.enumerated() {
            message.attachments.append(try attachment.decoded(field: "attachments.\(index)"))
        }
        var seen: Set<String> = []
        let recipients = (message.to + message.cc + blind).map(\.address).filter { seen.insert($0).inserted }
        guard !recipients.isEmpty else { throw .invalid("to", code: "required", "there must be a recipient") }
        guard recipients.count <= Self.maximumRecipients else {
            throw .invalid("to", code: "too_many", "at most \(Self.maximumRecipients) recipients in all")
        }
        return (message, recipients)
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

/// A person a message goes to: `"a@example.com"`, `"Name <a@example.com>"`, or as lists of messages show one,
/// `{"addr": "a@example.com", "name": "Name"}`.
struct Recipient: Decodable, Sendable, Equatable {
    private let name: String
    private let text: String

    private enum CodingKeys: String, CodingKey { case addr, name }

    init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            let parsed = MIMEHeader.addresses(Array(text.utf8))
            self.name = parsed.count == 1 ? parsed[0].name : ""
            self.text = parsed.count == 1 ? parsed[0].address : text
        } else {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            text = try fields.decode(String.self, forKey: .addr)
            name = try fields.decodeIfPresent(String.self, forKey: .name) ?? ""
        }
    }

    /// The address checked: the local part as it was written, for it may matter to its server, the domain as A-labels.
    func address(field: String) throws(Failure) -> MIMEAddress {
        let checked = try EmailAddress(text, field: field)
        let local = text.lastIndex(of: "@").map { String(text[..<$0]) } ?? checked.localPart
        return MIMEAddress(name: name, address: "\(local)@\(checked.domain)")
    }
}

extension SendRequest.Attachment {
    fileprivate func decoded(field: String) throws(Failure) -> OutgoingMessage.Attachment {
        guard let data = Data(base64Encoded: content) else {
            throw .invalid("\(field).content", code: "invalid_base64", "must be base64 with padding, without line ends")
        }
        guard !filename.isEmpty, filename.utf8.count <= 255 else {
            throw .invalid("\(field).filename", code: "invalid_filename", "must be 1 to 255 bytes")
        }
        return OutgoingMessage.Attachment(
            filename: filename, contentType: contentType ?? "application/octet-stream", contentID: contentID,
            content: Array(data))
    }
}
