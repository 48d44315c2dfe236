import HTMLSanitizer
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

/// The texts of a message as one safe fragment of HTML.
struct Rendering: Sendable {
    private(set) var html = ""
    private(set) var remoteImagesBlocked = 0
    private(set) var inlineImages: Set<String> = []
    let imagesTag: String

    /// Each text in turn; of those that say the same, the HTML.
    init(
        _ texts: [OpenedMessage.Text], attachments: [MessageParts.Attachment], at place: OpenedMessage.Place,
        images: MessageImages
    ) {
        self.init(images)
        let inline = images.inline(attachments, at: place)
        for (index, entry) in texts.enumerated() where !entry.part.isAlternativeToHTML {
            add(entry.text, isHTML: entry.part.isHTML, index, at: place, images) { [links = images.links] id in
                inline[id].map { links.link(to: $0.url, expiry: images.expiry) }
            }
        }
        if texts.isEmpty { add("", isHTML: false, 0, at: place, images) { _ in nil } }
    }

    init(plain: String?, html: String?, at place: OpenedMessage.Place, images: MessageImages) {
        self.init(images)
        add(html ?? plain ?? "", isHTML: html != nil, 0, at: place, images) { _ in nil }
    }

    private init(_ images: MessageImages) {
        imagesTag = "-" + (images.showsRemote ? "r" : "") + String(images.expiry / 3600, radix: 36)
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
