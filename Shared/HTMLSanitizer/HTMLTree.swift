import CBoundedGumbo

/// A parsed document, walked while it lives; no node leaves the closure.
enum HTMLTree {
    /// Memory and processor time that one document may take; a mail of 1 MB needs some 40 MB and 70 ms.
    private static let mostBytes = 128 << 20
    private static let mostMilliseconds = 500
    private static let longestInput = 8 << 20

    /// Calls `body` with the document's `<head>`, if there is one, and its `<body>`; nil when the markup goes beyond the
    /// limits.
    static func withDocument<Value>(of html: String, _ body: (HTMLNode?, HTMLNode) -> Value) -> Value? {
        var html = html
        return html.withUTF8 { text in
            guard let start = text.baseAddress, text.count <= longestInput else {
                return text.isEmpty ? parse("", 0, body) : nil
            }
            return start.withMemoryRebound(to: CChar.self, capacity: text.count) { parse($0, text.count, body) }
        }
    }

    private static func parse<Value>(
        _ text: UnsafePointer<CChar>, _ length: Int, _ body: (HTMLNode?, HTMLNode) -> Value
    ) -> Value? {
        guard let parse = bounded_gumbo_parse(text, length, mostBytes, mostMilliseconds) else { return nil }
        defer { bounded_gumbo_free(parse) }
        guard let document = bounded_gumbo_document(parse) else { return nil }
        let html = HTMLNode(node: document).children.first { $0.name == "html" }
        let head = html?.children.first { $0.name == "head" }
        return html?.children.first { $0.name == "body" || $0.name == "frameset" }.map { body(head, $0) }
    }

    /// What stands outside `<…>`, for markup that cannot be parsed within the limits.
    static func withoutTags(_ html: String) -> String {
        var text: [UInt8] = []
        var isInTag = false
        for byte in html.utf8.prefix(longestInput) {
            switch byte {
            case UInt8(ascii: "<"): isInTag = true
            case UInt8(ascii: ">"):
                if !isInTag { text.append(byte) } else if text.last != 0x20 { text.append(0x20) }
                isInTag = false
            default: if !isInTag { text.append(byte) }
            }
            if text.count > 1 << 20 { break }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A node of libgumbo's tree, valid only inside `HTMLTree.withDocument`.
struct HTMLNode {
    fileprivate let node: UnsafePointer<GumboNode>

    enum Kind {
        case element
        case text(String)
        /// Comments, templates, SVG and MathML: nothing of theirs is ever written.
        case ignored
    }

    var kind: Kind {
        switch node.pointee.type {
        case GUMBO_NODE_ELEMENT where node.pointee.v.element.tag_namespace == GUMBO_NAMESPACE_HTML: .element
        case GUMBO_NODE_TEXT, GUMBO_NODE_WHITESPACE, GUMBO_NODE_CDATA:
            .text(node.pointee.v.text.text.map { String(cString: $0) } ?? "")
        default: .ignored
        }
    }

    /// The element's name in lower case; empty for one that HTML does not know and for other nodes.
    var name: String {
        guard node.pointee.type == GUMBO_NODE_ELEMENT else { return "" }
        return String(cString: gumbo_normalized_tagname(node.pointee.v.element.tag))
    }

    var children: [HTMLNode] {
        let children =
            node.pointee.type == GUMBO_NODE_DOCUMENT
            ? node.pointee.v.document.children : node.pointee.v.element.children
        return (0..<Int(children.length)).compactMap { index in
            children.data[index].map { HTMLNode(node: UnsafePointer($0.assumingMemoryBound(to: GumboNode.self))) }
        }
    }

    /// The text right inside, such as that of a `<style>` element.
    var textContent: String {
        children.map { child in
            if case .text(let text) = child.kind { text } else { "" }
        }.joined()
    }

    /// In the order of the source, names in lower case as libgumbo makes them, entities decoded.
    var attributes: [(name: String, value: String)] {
        let attributes = node.pointee.v.element.attributes
        return (0..<Int(attributes.length)).compactMap { index in
            guard let attribute = attributes.data[index]?.assumingMemoryBound(to: GumboAttribute.self) else {
                return nil
            }
            return (String(cString: attribute.pointee.name), String(cString: attribute.pointee.value))
        }
    }
}
