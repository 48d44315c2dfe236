/// Walks a parsed body and writes what the allow-lists let through. The walk keeps its own stack, so that no nesting
/// is too deep for it.
struct SafeHTMLWriter {
    let scope: StyleScope
    private var images: ImageReferences
    private var output: [UInt8] = []
    /// The text of the `<style>` elements.
    private var styles = ""
    private(set) var css = ""
    private(set) var html = ""

    /// Elements nested deeper are left out and their content kept.
    private static let deepestElement = 200
    private static let longestOutput = 32 << 20

    init(policy: HTMLSanitizer) {
        scope = StyleScope(idPrefix: policy.idPrefix)
        images = ImageReferences(policy: policy)
    }

    var remoteImagesBlocked: Int { images.blocked }
    var inlineImages: Set<String> { images.inline }

    private enum Step {
        case visit(HTMLNode, depth: Int)
        case close(String)
    }

    /// - Returns: whether all of it was written within the limits.
    mutating func write(head: HTMLNode?, body: HTMLNode) -> Bool {
        for node in head?.children ?? [] where node.name == "style" { styles += node.textContent + "\n" }
        guard writeChildren(of: body) else { return false }
        css = StyleSheet.rewrite(styles, scope: scope) { images.url($0) }
        html = String(decoding: output, as: UTF8.self)
        // The body's colours and fonts are the mail's background: they live on in a div, which its styles may name.
        let attributes = attributes(of: body, element: "div", class: scope.body)
        if attributes != " class=\"\(scope.body)\"" || !css.isEmpty { html = "<div\(attributes)>\(html)</div>" }
        return true
    }

    private mutating func writeChildren(of body: HTMLNode) -> Bool {
        var steps = body.children.reversed().map { Step.visit($0, depth: 0) }
        while let step = steps.popLast() {
            guard output.count <= Self.longestOutput else { return false }
            switch step {
            case .close(let name): append("</\(name)>")
            case .visit(let node, let depth):
                switch node.kind {
                case .ignored: break
                case .text(let text): append(HTMLText.escape(text))
                case .element: open(node, depth: depth, steps: &steps)
                }
            }
        }
        return true
    }

    private mutating func open(_ node: HTMLNode, depth: Int, steps: inout [Step]) {
        let name = node.name
        guard !AllowList.elementsDroppedWhole.contains(name) else {
            if name == "style" { styles += node.textContent + "\n" }
            return
        }
        let isWritten = AllowList.elements.contains(name) && depth < Self.deepestElement
        if isWritten {
            append("<" + name + attributes(of: node, element: name) + ">")
            if AllowList.voidElements.contains(name) { return }
            // A parser drops one line end after <pre>.
            if name == "pre" { append("\n") }
            steps.append(.close(name))
        }
        for child in node.children.reversed() { steps.append(.visit(child, depth: depth + (isWritten ? 1 : 0))) }
    }

    private mutating func append(_ text: String) { output.append(contentsOf: text.utf8) }

    /// - Parameter class: One that the element has beside its own.
    private mutating func attributes(of node: HTMLNode, element: String, class own: String? = nil) -> String {
        var written = ""
        var seen: Set<String> = []
        var own = own
        let given = node.attributes
        for (name, value) in given where seen.insert(name).inserted {
            guard var safe = attribute(name, value, element: element) else { continue }
            if name == "class", let added = own {
                if !safe.split(separator: " ").contains(Substring(added)) { safe = added + " " + safe }
                own = nil
            }
            written += " \(name)=\"\(HTMLText.escape(safe))\""
        }
        if let own { written += " class=\"\(own)\"" }
        switch element {
        case "a": written += " rel=\"noopener noreferrer nofollow\" target=\"_blank\""
        case "img":
            if !seen.contains("src"), let source = given.first(where: { $0.name == "srcset" })?.value,
                let url = source.split(whereSeparator: { $0.isWhitespace || $0 == "," }).first
                    .flatMap({ images.url(String($0)) })
            {
                written += " src=\"\(HTMLText.escape(url))\""
            }
            written += " referrerpolicy=\"no-referrer\""
        default: break
        }
        return written
    }

    /// The value to write; nil leaves the attribute out.
    private mutating func attribute(_ name: String, _ value: String, element: String) -> String? {
        switch name {
        case "style":
            let declarations = CSSDeclarations.rewrite(value) { images.url($0) }
            return declarations.isEmpty ? nil : declarations
        case "href": return element == "a" ? link(value) : nil
        case "src" where element == "img", "background": return images.url(value)
        case "id": return scope.prefixed(value)
        case "name": return element == "a" ? scope.prefixed(value) : nil
        case "class":
            let classes = value.split(whereSeparator: \.isWhitespace).prefix(50).compactMap { scope.prefixed($0) }
            return classes.isEmpty ? nil : classes.joined(separator: " ")
        default:
            if AllowList.textAttributes.contains(name) { return value }
            return AllowList.plainAttributes.contains(name) && AllowList.isPlain(value) ? value : nil
        }
    }

    private func link(_ text: String) -> String? {
        switch URLReference(text) {
        case .web(let url), .mail(let url): url
        case .fragment(let id): scope.prefixed(id).map { "#" + $0 }
        case .contentID, .dataImage, nil: nil
        }
    }
}

/// What becomes of the images a mail refers to, and how many were left out.
struct ImageReferences {
    let policy: HTMLSanitizer
    private(set) var blocked = 0
    private(set) var inline: Set<String> = []

    init(policy: HTMLSanitizer) { self.policy = policy }

    /// The URL to write instead; nil leaves the image out.
    mutating func url(_ text: String) -> String? {
        switch URLReference(text) {
        case .dataImage(let url): return url
        case .contentID(let id):
            guard let url = policy.inlineImage(id) else { return nil }
            inline.insert(id)
            return url
        case .web(let url):
            let safe: String? =
                switch policy.remoteImages {
                case .blocked: nil
                case .allowed: url
                case .rewritten(let rewrite): rewrite(url)
                }
            if safe == nil { blocked += 1 }
            return safe
        case .mail, .fragment, nil: return nil
        }
    }
}
