import HTMLSanitizer
import IMAP
import MIME
import MailModel

/// How the images of one message are to be shown.
struct MessageImages: Sendable {
    let links: ImageLinks
    /// Whether images on other hosts are shown, by way of our own.
    let showsRemote: Bool
    /// When the links end: seconds since 1970.
    let expiry: Int64

    init(links: ImageLinks, showsRemote: Bool) {
        self.links = links
        self.showsRemote = showsRemote
        expiry = ImageLinks.expiry()
    }

    /// Differs where the same message is shown with other links.
    var tag: String { "-" + (showsRemote ? "r" : "") + String(expiry / 3600, radix: 36) }

    fileprivate var remote: HTMLSanitizer.RemoteImages {
        showsRemote ? .rewritten { [links, expiry] in links.link(to: $0, expiry: expiry) } : .blocked
    }

    /// Links to attached pictures by content id.
    fileprivate func inline(
        _ attachments: [MessageParts.Attachment], at place: OpenedMessage.Place
    ) -> [String: AttachedImage] {
        var images: [String: AttachedImage] = [:]
        for attachment in attachments where attachment.contentType.hasPrefix("image/") {
            guard let contentID = attachment.contentID, images[contentID] == nil else { continue }
            images[contentID] = AttachedImage(
                account: place.account, folder: place.folder, uidValidity: place.uidValidity, uid: place.uid,
                part: attachment.part)
        }
        return images
    }
}

/// The texts of a message as they are shown.
struct Rendering: Sendable {
    /// One fragment, safe to stand in a page; made from the plain text where the message has no HTML.
    private(set) var html = ""
    let plain: String?
    /// How many references to images on other hosts were left out.
    private(set) var remoteImagesBlocked = 0
    /// By content id.
    private(set) var inlineImages: Set<String> = []
    /// Of the links in `html`.
    let tag: String

    /// Each text in turn; of those that say the same, the HTML.
    ///
    /// - Parameter bodies: Responses that hold the texts.
    init(
        _ parts: MessageParts, in bodies: [FetchedMessage], at place: OpenedMessage.Place, images: MessageImages
    ) {
        let texts = parts.texts.filter { $0.limit > 0 }.map { ($0, Self.text($0, in: bodies)) }
        let plains = texts.filter { !$0.0.isHTML }.map(\.1)
        plain = plains.isEmpty ? nil : plains.joined(separator: "\n")
        tag = images.tag
        let inline = images.inline(parts.attachments, at: place)
        for (index, (part, text)) in texts.enumerated() where !part.isAlternativeToHTML {
            add(text, isHTML: part.isHTML, index, at: place, images) { [links = images.links] id in
                inline[id].map { links.link(to: $0.url, expiry: images.expiry) }
            }
        }
        if texts.isEmpty { add("", isHTML: false, 0, at: place, images) { _ in nil } }
    }

    init(plain: String?, html: String?, at place: OpenedMessage.Place, images: MessageImages) {
        self.plain = plain
        tag = images.tag
        add(html ?? plain ?? "", isHTML: html != nil, 0, at: place, images) { _ in nil }
    }

    private static let longestPreviewed = 16_384

    /// For a message of which the server has none.
    var preview: String {
        HTMLSanitizer.preview(
            plain ?? HTMLSanitizer.htmlToText(String(decoding: html.utf8.prefix(Self.longestPreviewed), as: UTF8.self)))
    }

    private static func text(_ part: MessageParts.Text, in bodies: [FetchedMessage]) -> String {
        MIMEBody.text(
            bodies.lazy.compactMap { $0.bytes(of: .part(part.section)) }.first ?? [],
            transferEncoding: part.structure.encoding, parameters: MailText.parameters(part.structure.parameters))
    }

    private mutating func add(
        _ text: String, isHTML: Bool, _ index: Int, at place: OpenedMessage.Place, _ images: MessageImages,
        inline: @escaping @Sendable (String) -> String?
    ) {
        // Unlike that of any other mail in the same page.
        let part = place.part.map { "p" + $0.replacing(".", with: "-") } ?? ""
        let prefix = "m\(place.uidValidity)-\(place.uid)\(part)-\(index)-"
        let sanitizer = HTMLSanitizer(idPrefix: prefix, remoteImages: images.remote, inlineImage: inline)
        let result = isHTML ? sanitizer.sanitize(text) : sanitizer.plain(text)
        html += result.fragment
        remoteImagesBlocked += result.remoteImagesBlocked
        inlineImages.formUnion(result.inlineImages)
    }
}
