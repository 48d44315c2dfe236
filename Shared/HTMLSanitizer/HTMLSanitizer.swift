/// Makes the HTML of a mail safe to put into a page.
///
/// The text is parsed as a browser would (libgumbo) and written anew from allow-lists of elements, attributes, CSS
/// properties and URL schemes; nothing of the original text is copied unescaped, and the result is never edited as
/// text afterwards. Scripts, forms, frames, objects, SVG and MathML are left out, ids and classes get a prefix,
/// `<style>` blocks are dropped. A value of this type may be used from any thread; a call is a pure function.
public struct HTMLSanitizer: Sendable {
    /// What becomes of images on other hosts, which tell the sender who reads and when.
    public enum RemoteImages: Sendable {
        /// Left out and counted.
        case blocked
        case allowed
        /// Fetched by way of the URL that the closure gives, such as a proxy's; nil leaves the image out and counts it.
        case rewritten(@Sendable (_ url: String) -> String?)
    }

    public struct Result: Sendable, Hashable {
        /// A fragment to stand inside `<body>`.
        public var html: String
        /// How many references to remote images (`src`, `background`, CSS `url()`) were left out.
        public var remoteImagesBlocked: Int
        /// The markup went beyond the limits (deep nesting, memory, time) and only its text remains.
        public var isSimplified: Bool
    }

    let idPrefix: String
    let remoteImages: RemoteImages
    let inlineImage: @Sendable (_ contentID: String) -> String?

    /// - Parameters:
    ///   - idPrefix: Put before every id, class and fragment link: letters, digits, `-`.
    ///   - remoteImages: What becomes of images on other hosts.
    ///   - inlineImage: The `http(s)`, relative (`/…`) or `data:image` URL of an attached image by its content id;
    ///     nil leaves the image out.
    public init(
        idPrefix: String = "m-", remoteImages: RemoteImages = .blocked,
        inlineImage: @escaping @Sendable (_ contentID: String) -> String? = { _ in nil }
    ) {
        self.idPrefix = idPrefix
        self.remoteImages = remoteImages
        self.inlineImage = inlineImage
    }

    /// Never fails: of malformed HTML what a browser would show is kept.
    public func sanitize(_ html: String) -> Result {
        var writer = SafeHTMLWriter(policy: self)
        let isWhole = HTMLTree.withBody(of: html) { writer.write($0) } ?? false
        guard isWhole else {
            let text = HTMLSanitizer.plainToHTML(HTMLTree.withoutTags(html))
            return Result(html: text, remoteImagesBlocked: 0, isSimplified: true)
        }
        return Result(html: writer.html, remoteImagesBlocked: writer.remoteImagesBlocked, isSimplified: false)
    }
}
