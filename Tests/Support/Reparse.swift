import CBoundedGumbo

/// What a parser finds in a sanitizer's output: the test's own eyes, apart from the code under test.
public struct Reparse {
    private var elements: [String] = []
    private var attributes: [(element: String, name: String, value: String)] = []
    public private(set) var text = ""
    /// What stands in `<style>`.
    private var css = ""
    private var comments = 0

    public init(_ html: String) {
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
        if element.tag == GUMBO_TAG_STYLE, let child = element.children.data?[0] {
            let node = child.assumingMemoryBound(to: GumboNode.self)
            css += String(cString: node.pointee.v.text.text)
        }
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
    public func violations(idPrefix: String = "m-", allowsRemote: Bool = false) -> [String] {
        let elements: Set<String> = [
            "html", "head", "body", "a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big",
            "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl",
            "dt", "em", "figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
            "i", "img", "ins", "kbd", "li", "main", "mark", "nav", "nobr", "ol", "p", "pre", "q", "rp", "rt", "ruby",
            "s", "samp", "section", "small", "span", "strike", "strong", "style", "sub", "sup", "table", "tbody", "td",
            "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr",
        ]
        let attributes: Set<String> = [
            "href", "src", "style", "id", "class", "name", "rel", "target", "referrerpolicy", "alt", "title", "lang",
            "dir", "align", "bgcolor", "border", "bordercolor", "cellpadding", "cellspacing", "clear", "color",
            "colspan", "compact", "datetime", "face", "height", "hspace", "noshade", "nowrap", "reversed", "rowspan",
            "rules", "scope", "size", "span", "start", "summary", "abbr", "type", "valign", "value", "vspace", "width",
            "background",
        ]
        var found = self.elements.filter { !elements.contains($0) }.map { "element \($0)" }
        if comments > 0 { found.append("comment") }
        if !isSafe("css", css, idPrefix: idPrefix, allowsRemote: allowsRemote) { found.append("css \(css)") }
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
                || lower.hasPrefix("/images?url=")
                || (allowsRemote && (lower.hasPrefix("http://") || lower.hasPrefix("https://")))
        case "style", "css":
            let text = name == "style" ? lower : lower.replacing("@media ", with: "")
            let forbidden = [
                "expression", "javascript", "@", "behavior", "binding", "position:", "content:", "\\", "<",
            ]
            let isOurs = lower.hasPrefix("contain: content; isolation: isolate;")
            return isOurs || !forbidden.contains(where: text.contains) && (allowsRemote || !text.contains("url(\"http"))
        case "id", "name", "class": return value.split(separator: " ").allSatisfy { $0.hasPrefix(idPrefix) }
        default: return true
        }
    }
}
