/// Walks a parsed body and writes what the allow-lists let through. The walk keeps its own stack, so that no nesting
/// is too deep for it.
struct SafeHTMLWriter {
    private let policy: HTMLSanitizer
    private var output: [UInt8] = []
    private(set) var remoteImagesBlocked = 0

    /// Elements nested deeper are left out and their content kept.
    private static let deepestElement = 200
    private static let longestOutput = 32 << 20

    init(policy: HTMLSanitizer) { self.policy = policy }

    var html: String { String(decoding: output, as: UTF8.self) }

    private enum Step {
        case visit(HTMLNode, depth: Int)
        case close(String)
    }

    /// - Returns: whether all of it was written within the limits.
    mutating func write(_ body: HTMLNode) -> Bool {
        // The body's colours and fonts are the mail's background: they live on in a div.
        let style = attributes(of: body, element: "div")
        if !style.isEmpty { append("<div" + style + ">") }
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
        if !style.isEmpty { append("</div>") }
        return true
    }

    private mutating func open(_ node: HTMLNode, depth: Int, steps: inout [Step]) {
        let name = node.name
        guard !AllowList.elementsDroppedWhole.contains(name) else { return }
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

    private mutating func attributes(of node: HTMLNode, element: String) -> String {
        var written = ""
        var seen: Set<String> = []
        for (name, value) in node.attributes where seen.insert(name).inserted {
            guard let safe = attribute(name, value, element: element) else { continue }
            written += " \(name)=\"\(HTMLText.escape(safe))\""
        }
        switch element {
        case "a": written += " rel=\"noopener noreferrer nofollow\" target=\"_blank\""
        case "img": written += " referrerpolicy=\"no-referrer\""
        default: break
        }
        return written
    }

    /// The value to write; nil leaves the attribute out.
    private mutating func attribute(_ name: String, _ value: String, element: String) -> String? {
        switch name {
        case "style":
            var blocked = 0
            let declarations = CSSDeclarations.rewrite(value) { url in image(url, blocked: &blocked) }
            remoteImagesBlocked += blocked
            return declarations.isEmpty ? nil : declarations
        case "href": return element == "a" ? link(value) : nil
        case "src" where element == "img", "background":
            return image(value, blocked: &remoteImagesBlocked)
        case "id": return prefixed(value[...])
        case "name": return element == "a" ? prefixed(value[...]) : nil
        case "class":
            let classes = value.split(whereSeparator: \.isWhitespace).prefix(50).compactMap(prefixed)
            return classes.isEmpty ? nil : classes.joined(separator: " ")
        default:
            if AllowList.textAttributes.contains(name) { return value }
            return AllowList.plainAttributes.contains(name) && AllowList.isPlain(value) ? value : nil
        }
    }

    private func link(_ text: String) -> String? {
        switch URLReference(text) {
        case .web(let url), .mail(let url): url
        case .fragment(let id): prefixed(id[...]).map { "#" + $0 }
        case .contentID, .dataImage, nil: nil
        }
    }

    private func image(_ text: String, blocked: inout Int) -> String? {
        switch URLReference(text) {
        case .dataImage(let url): return url
        case .contentID(let id): return policy.inlineImage(id)
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

    private func prefixed(_ name: Substring) -> String? {
        let safe = name.utf8.filter {
            (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
        return safe.isEmpty || safe.count > 100 ? nil : policy.idPrefix + String(decoding: safe, as: UTF8.self)
    }
}
