import CBoundedGumbo

/// What a parser finds in a sanitizer's output: the test's own eyes, apart from the code under test.
struct Reparse {
    var elements: [String] = []
    var attributes: [(element: String, name: String, value: String)] = []
    var text = ""
    var comments = 0

    init(_ html: String) {
        guard let output = html.withCString({ gumbo_parse($0) }) else { return }
        var options = kGumboDefaultOptions
        defer { gumbo_destroy_output(&options, output) }
        var nodes: [UnsafePointer<GumboNode>] = [UnsafePointer(output.pointee.root)]
        while let node = nodes.popLast() {
            switch node.pointee.type {
            case GUMBO_NODE_ELEMENT, GUMBO_NODE_TEMPLATE: nodes += visit(node.pointee.v.element)
            case GUMBO_NODE_COMMENT: comments += 1
            case GUMBO_NODE_TEXT: text += String(cString: node.pointee.v.text.text)
            default: break
            }
        }
    }

    private mutating func visit(_ element: GumboElement) -> [UnsafePointer<GumboNode>] {
        let name =
            element.tag == GUMBO_TAG_UNKNOWN ? "unknown" : String(cString: gumbo_normalized_tagname(element.tag))
        elements.append(element.tag_namespace == GUMBO_NAMESPACE_HTML ? name : "foreign:" + name)
        for index in 0..<Int(element.attributes.length) {
            guard let attribute = element.attributes.data[index]?.assumingMemoryBound(to: GumboAttribute.self) else {
                continue
            }
            let value = String(cString: attribute.pointee.value)
            attributes.append((name, String(cString: attribute.pointee.name), value))
        }
        return (0..<Int(element.children.length)).reversed().compactMap { index in
            element.children.data[index].map { UnsafePointer($0.assumingMemoryBound(to: GumboNode.self)) }
        }
    }

    /// Everything in the output that no mail may show; empty when it is safe.
    func violations(idPrefix: String = "m-", allowsRemote: Bool = false) -> [String] {
        let elements: Set<String> = [
            "html", "head", "body", "a", "abbr", "b", "blockquote", "br", "center", "code", "div", "em", "font", "h1",
            "h2", "hr", "i", "img", "li", "nobr", "ol", "p", "pre", "s", "small", "span", "strong", "table", "tbody",
            "td", "th", "tr", "tt", "u", "ul",
        ]
        let attributes: Set<String> = [
            "href", "src", "style", "id", "class", "name", "rel", "target", "referrerpolicy", "alt", "title", "lang",
            "dir", "align", "bgcolor", "border", "cellpadding", "cellspacing", "color", "colspan", "face", "height",
            "rowspan", "size", "start", "type", "valign", "width", "background",
        ]
        var found = self.elements.filter { !elements.contains($0) }.map { "element \($0)" }
        if comments > 0 { found.append("comment") }
        for (element, name, value) in self.attributes {
            if !attributes.contains(name) { found.append("attribute \(name) of \(element)") }
            if !isSafe(name, value, idPrefix: idPrefix, allowsRemote: allowsRemote) { found.append("\(name)=\(value)") }
        }
        return found
    }

    private func isSafe(_ name: String, _ value: String, idPrefix: String, allowsRemote: Bool) -> Bool {
        let lower = value.lowercased()
        switch name {
        case "href":
            return ["http://", "https://", "mailto:", "#" + idPrefix].contains(where: lower.hasPrefix)
        case "src", "background":
            return lower.hasPrefix("data:image/png;base64,") || lower.hasPrefix("/inline/")
                || (allowsRemote && (lower.hasPrefix("http://") || lower.hasPrefix("https://")))
        case "style":
            let forbidden = ["expression", "javascript", "import", "behavior", "binding", "position", "@", "\\", "<"]
            return !forbidden.contains(where: lower.contains) && (allowsRemote || !lower.contains("url(\"http"))
        case "id", "name", "class": return value.split(separator: " ").allSatisfy { $0.hasPrefix(idPrefix) }
        default: return true
        }
    }
}
