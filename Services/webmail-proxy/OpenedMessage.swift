import IMAP
import MIME
import MailModel

/// A message opened for reading: what a list shows of it, its text made safe, and what is attached.
struct OpenedMessage: Sendable {
    /// Which message it is.
    struct Place: Sendable {
        let account: String
        let folder: String
        let uidValidity: UInt32
        let uid: UInt32
        /// The part of the message that this one was attached to.
        let part: String?
        let modSeq: UInt64?
    }

    var item: MessageItem
    let place: Place
    let headers: [MIMEHeader]
    let replyTo: [MIMEAddress]
    private let attachments: [MessageParts.Attachment]
    /// There are more attachments than are listed.
    private let isCapped: Bool
    /// The text is longer than what is shown.
    private let isTruncated: Bool
    private let rendering: Rendering

    /// Changes with the flags, and with the links to images as they expire; all else of a message never changes
    /// (RFC 9051 §2.3.1.1).
    var entityTag: String? {
        let part = place.part.map { "p" + $0 } ?? ""
        return place.modSeq.map { "\"\(place.uidValidity)-\(place.uid)\(part)-\($0)\(rendering.tag)\"" }
    }

    /// - Parameter parts: `none` for a message whose parts are not known.
    init(
        _ item: MessageItem, at place: Place, headers: [MIMEHeader], replyTo: [MIMEAddress], parts: MessageParts,
        rendering: Rendering
    ) {
        var parts = parts
        parts.markInline(rendering.inlineImages)
        self.item = item
        self.place = place
        self.headers = headers
        self.replyTo = replyTo
        self.rendering = rendering
        attachments = parts.attachments
        isCapped = parts.isCapped || !parts.isKnown
        isTruncated = parts.isTruncated || !parts.isKnown
        if self.item.preview.isEmpty { self.item.preview = rendering.preview }
    }

    private func values(_ name: String) -> [String] { headers.filter { $0.isNamed(name) }.map(\.value) }

    /// Message ids of a header, each with its angle brackets.
    private func messageIDs(_ name: String) -> [String] {
        values(name).flatMap { MIMEHeader.messageIDs(Array($0.utf8)) }.map { "<\($0)>" }
    }

    func json() -> [UInt8] {
        let (html, plain) = (rendering.html, rendering.plain)
        var json = JSONWriter(capacity: html.utf8.count + (plain?.utf8.count ?? 0) + 16_384)
        json.object { json in
            json.field("folder", place.folder)
            json.field("uid_validity", place.uidValidity)
            json.field("modseq", place.modSeq)
            json.field("part", place.part)
            item.writeFields(to: &json)
            json.field("html", html)
            json.field("plain", plain)
            json.field("remote_images_blocked", rendering.remoteImagesBlocked)
            json.field("reply_to", replyTo)
            json.field("in_reply_to", messageIDs("In-Reply-To").first)
            json.field("references", messageIDs("References"))
            writeHeaders(to: &json)
            json.key("attachments")
            json.array(attachments) { $1.write(to: &$0) }
            json.field("attachments_truncated", isCapped)
            json.field("truncated", isTruncated)
            AuthenticationResults(values("Authentication-Results")).write(to: &json)
            ListUnsubscribe(values("List-Unsubscribe"), post: values("List-Unsubscribe-Post")).write(to: &json)
        }
        return json.bytes
    }

    private func writeHeaders(to json: inout JSONWriter) {
        json.key("headers")
        json.array(headers) { json, header in
            json.object { json in
                json.field("name", header.name)
                json.field("value", header.value)
            }
        }
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
