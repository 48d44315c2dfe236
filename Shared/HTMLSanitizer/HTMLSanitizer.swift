/// Makes the HTML of a mail safe to put into a page.
///
/// The text is parsed as a browser would (libgumbo) and written anew from allow-lists of elements, attributes, CSS
/// properties and URL schemes; nothing of the original text is copied unescaped, and the result is never edited as
/// text afterwards. Scripts, forms, frames, objects, SVG and MathML are left out, ids and classes get a prefix, and the
/// rules of `<style>` blocks are put under the mail's own container. A value of this type may be used from any thread; a
/// call is a pure function.
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
        /// The mail's elements, without what holds them.
        public var html: String
        /// What the mail's `<style>` blocks say, for the elements inside `container` alone; never holds a `<`.
        public var css: String
        /// The class of the element that must stand around `html`.
        public var container: String
        /// The content ids of the attached images that `html` and `css` show.
        public var inlineImages: Set<String>
        /// How many references to remote images (`src`, `background`, CSS `url()`) were left out.
        public var remoteImagesBlocked: Int
        /// The markup went beyond the limits (deep nesting, memory, time) and only its text remains.
        public var isSimplified: Bool

        /// A fragment to stand in a page: the mail and its styles in a container that nothing in it can leave. What is
        /// drawn is cut off at the container's edge and stacked inside it (CSS Containment Level 2 §3).
        public var fragment: String {
            let style = css.isEmpty ? "" : "<style>\(css)</style>"
            return """
                <div class="\(container)" style="contain: content; isolation: isolate; overflow: auto; \
                overflow-wrap: anywhere">\(style)\(html)</div>
                """
        }
    }

    let idPrefix: String
    let remoteImages: RemoteImages
    let inlineImage: @Sendable (_ contentID: String) -> String?

    /// - Parameters:
    ///   - idPrefix: Put before every id, class and fragment link: a letter, then letters, digits, `-`. Mails shown in
    ///     one page need one each.
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
        let isWhole = HTMLTree.withDocument(of: html) { writer.write(head: $0, body: $1) } ?? false
        guard isWhole else { return simplified(HTMLTree.withoutTags(html)) }
        return Result(
            html: writer.html, css: writer.css, container: writer.scope.container, inlineImages: writer.inlineImages,
            remoteImagesBlocked: writer.remoteImagesBlocked, isSimplified: false)
    }

    /// Plain text in the same container.
    public func plain(_ text: String) -> Result {
        var result = simplified(text)
        result.isSimplified = false
        return result
    }

    private func simplified(_ text: String) -> Result {
        Result(
            html: Self.plainToHTML(text), css: "", container: StyleScope(idPrefix: idPrefix).container,
            inlineImages: [], remoteImagesBlocked: 0, isSimplified: true)
    }
}
