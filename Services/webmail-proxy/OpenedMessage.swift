import HTTPService
import IMAP
import MIME
import MailModel

/// A message opened for reading, already written as JSON but for what may change: its mod-sequence and its flags.
///
/// What a list shows of it, its text made safe, and what is attached.
struct OpenedMessage: Sendable {
    /// Which message it is.
    struct Place: Sendable {
        let account: String
        let folder: String
        let uidValidity: UInt32
        let uid: UInt32
        /// The part of the message that this one was attached to.
        let part: String?
    }

    /// Nil where the server keeps none (RFC 7162 §3.1.2).
    var modSeq: UInt64?
    var flags: [MessageFlag]
    /// The members of the object: before the mod-sequence, from there to the flags, and behind them.
    private let members: [UInt8]
    private let modSeqAt: Int
    private let flagsAt: Int
    /// Its entity tag but for the mod-sequence.
    private let tag: (head: String, tail: String)

    /// Changes with the flags, and with the links to images as they expire; all else of a message never changes
    /// (RFC 9051 §2.3.1.1).
    var entityTag: String? { modSeq.map { "\"\(tag.head)-\($0)\(tag.tail)\"" } }

    /// What it takes in memory, about: bytes.
    var footprint: Int { 512 + members.count }

    /// - Parameter parts: `none` for a message whose parts are not known.
    init(
        _ item: MessageItem, at place: Place, modSeq: UInt64?, headers: [MIMEHeader], replyTo: [MIMEAddress],
        parts: MessageParts, rendering: Rendering
    ) {
        var (item, parts) = (item, parts)
        parts.markInline(rendering.inlineImages)
        if item.preview.isEmpty { item.preview = rendering.preview }
        self.modSeq = modSeq
        flags = item.flags
        let folder = EntityTag.place(place.account, place.folder)
        tag = ("\(folder)-\(place.uidValidity)-\(place.uid)" + (place.part.map { "p" + $0 } ?? ""), rendering.tag)
        let (html, plain) = (rendering.html, rendering.plain)
        var json = JSONWriter(capacity: html.utf8.count + (plain?.utf8.count ?? 0) + 16_384)
        json.members { json in
            json.field("folder", place.folder)
            json.field("uid_validity", place.uidValidity)
        }
        modSeqAt = json.bytes.count
        json.members { json in
            json.field("part", place.part)
            item.writeHead(to: &json)
        }
        flagsAt = json.bytes.count
        json.members { json in
            item.writeTail(to: &json)
            json.field("html", html)
            json.field("plain", plain)
            json.field("remote_images_blocked", rendering.remoteImagesBlocked)
            json.field("reply_to", replyTo)
            Self.write(headers, to: &json)
            Self.write(parts, to: &json)
        }
        members = json.bytes
    }

    func json() -> [UInt8] {
        var json = JSONWriter(capacity: members.count + 512)
        json.object { json in
            json.written(members[..<modSeqAt])
            json.field("modseq", modSeq)
            json.written(members[modSeqAt..<flagsAt])
            MessageItem.write(flags, to: &json)
            json.written(members[flagsAt...])
        }
        return json.bytes
    }

    private static func write(_ parts: MessageParts, to json: inout JSONWriter) {
        json.key("attachments")
        json.array(parts.attachments) { $1.write(to: &$0) }
        json.field("attachments_truncated", parts.isCapped || !parts.isKnown)
        // The text is longer than what is shown.
        json.field("truncated", parts.isTruncated || !parts.isKnown)
    }

    private static func write(_ headers: [MIMEHeader], to json: inout JSONWriter) {
        func values(_ name: String) -> [String] { headers.filter { $0.isNamed(name) }.map(\.value) }
        /// Message ids, each with its angle brackets.
        func messageIDs(_ name: String) -> [String] {
            values(name).flatMap { MIMEHeader.messageIDs(Array($0.utf8)) }.map { "<\($0)>" }
        }
        json.field("in_reply_to", messageIDs("In-Reply-To").first)
        json.field("references", messageIDs("References"))
        json.key("headers")
        json.array(headers) { json, header in
            json.object { json in
                json.field("name", header.name)
                json.field("value", header.value)
            }
        }
        AuthenticationResults(values("Authentication-Results")).write(to: &json)
        ListUnsubscribe(values("List-Unsubscribe"), post: values("List-Unsubscribe-Post")).write(to: &json)
    }
}

extension MessageParts.Attachment {
    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("part", part)
            json.field("filename", filename)
            json.field("content_type", contentType)
            json.field("size", size)
            json.field("content_id", contentID)
            json.field("inline", isInline)
            json.key("message")
            guard let message else { return json.null() }
            json.object { json in
                json.field("subject", message.subject)
                json.field("from_addr", message.from?.address ?? "")
                json.field("from_name", message.from?.name ?? "")
                json.field("date", message.date.map { Timestamp.rfc3339(milliseconds: $0) })
                json.key("attachments")
                json.array(message.attachments) { $1.write(to: &$0) }
            }
        }
    }
}

extension AuthenticationResults {
    fileprivate func write(to json: inout JSONWriter) {
        json.key("auth_results")
        json.object { json in
            json.field("spf", spf)
            json.field("dkim", dkim)
            json.field("dmarc", dmarc)
        }
    }
}

extension ListUnsubscribe? {
    fileprivate func write(to json: inout JSONWriter) {
        json.key("list_unsubscribe")
        guard let self else { return json.null() }
        json.object { json in
            json.field("url", self.url)
            json.field("mailto", self.mailto)
            json.field("one_click", self.isOneClick)
        }
    }
}
