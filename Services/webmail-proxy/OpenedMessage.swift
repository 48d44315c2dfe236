import HTMLSanitizer
import IMAP
import MIME
import MailModel

/// A message opened for reading: what a list shows of it, its text made safe, and what is attached.
struct OpenedMessage: Sendable {
    var item: MessageItem
    let folder: String
    let uidValidity: UInt32
    let modSeq: UInt64?
    let headers: [MIMEHeader]
    let replyTo: [MIMEAddress]
    let attachments: [MessageParts.Attachment]
    /// Safe to stand in a page; made from the plain text where the message has no HTML.
    let html: String
    let plain: String?
    /// How many references to images on other hosts were left out.
    let remoteImagesBlocked: Int

    /// Changes with the flags; all else of a message never changes (RFC 9051 §2.3.1.1).
    var entityTag: String? { modSeq.map { "\"\(uidValidity)-\(item.uid)-\($0)\"" } }

    init(
        _ item: MessageItem, folder: String, uidValidity: UInt32, modSeq: UInt64?, headers: [MIMEHeader],
        replyTo: [MIMEAddress], parts: MessageParts, texts: [(part: MessageParts.Text, text: String)]
    ) {
        self.item = item
        self.folder = folder
        self.uidValidity = uidValidity
        self.modSeq = modSeq
        self.headers = headers
        self.replyTo = replyTo
        attachments = parts.attachments
        let plain = texts.filter { !$0.part.isHTML }.map(\.text)
        self.plain = plain.isEmpty ? nil : plain.joined(separator: "\n")
        let html = texts.filter(\.part.isHTML).map(\.text)
        if html.isEmpty {
            self.html = HTMLSanitizer.plainToHTML(self.plain ?? "")
            remoteImagesBlocked = 0
        } else {
            let images = Self.inlineImages(attachments, folder: folder, uid: item.uid, uidValidity: uidValidity)
            let results = html.map { HTMLSanitizer(inlineImage: { images[$0] }).sanitize($0) }
            self.html = results.map(\.html).joined()
            remoteImagesBlocked = results.reduce(0) { $0 + $1.remoteImagesBlocked }
        }
        if self.item.preview.isEmpty {
            self.item.preview = HTMLSanitizer.preview(self.plain ?? html.first.map(HTMLSanitizer.htmlToText) ?? "")
        }
    }

    /// The URLs of attached pictures by content id.
    private static func inlineImages(
        _ attachments: [MessageParts.Attachment], folder: String, uid: UInt32, uidValidity: UInt32
    ) -> [String: String] {
        let base = "/api/v1/mail/webmail/messages/\(FolderPath.encode(folder))/\(uid)/attachments/"
        var urls: [String: String] = [:]
        for attachment in attachments where attachment.contentType.hasPrefix("image/") {
            guard let contentID = attachment.contentID, urls[contentID] == nil else { continue }
            urls[contentID] = "\(base)\(attachment.part)?uid_validity=\(uidValidity)"
        }
        return urls
    }

    private func values(_ name: String) -> [String] { headers.filter { $0.isNamed(name) }.map(\.value) }

    /// Message ids of a header, each with its angle brackets.
    private func messageIDs(_ name: String) -> [String] {
        values(name).flatMap { MIMEHeader.messageIDs(Array($0.utf8)) }.map { "<\($0)>" }
    }

    func json() -> [UInt8] {
        var json = JSONWriter(capacity: html.utf8.count + (plain?.utf8.count ?? 0) + 16_384)
        json.object { json in
            json.field("folder", folder)
            json.field("uid_validity", uidValidity)
            json.field("modseq", modSeq)
            item.writeFields(to: &json)
            json.field("html", html)
            json.field("plain", plain)
            json.field("remote_images_blocked", remoteImagesBlocked)
            json.field("reply_to", replyTo)
            json.field("in_reply_to", messageIDs("In-Reply-To").first)
            json.field("references", messageIDs("References"))
            writeHeaders(to: &json)
            json.key("attachments")
            json.array(attachments) { $1.write(to: &$0) }
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
