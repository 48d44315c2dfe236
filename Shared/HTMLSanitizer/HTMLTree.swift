import CBoundedGumbo

#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

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

/// A node of libgumbo's tree, valid only inside `HTMLTree.withDocument`, as all bytes that it gives are.
struct HTMLNode {
    fileprivate let node: UnsafePointer<GumboNode>

    enum Kind {
        case element
        case text
        /// Comments, templates, SVG and MathML: nothing of theirs is ever written.
        case ignored
    }

    var kind: Kind {
        switch node.pointee.type {
        case GUMBO_NODE_ELEMENT where node.pointee.v.element.tag_namespace == GUMBO_NAMESPACE_HTML: .element
        case GUMBO_NODE_TEXT, GUMBO_NODE_WHITESPACE, GUMBO_NODE_CDATA: .text
        default: .ignored
        }
    }

    /// What a node of text says, entities decoded: UTF-8.
    var text: UnsafeBufferPointer<UInt8> { Self.bytes(node.pointee.v.text.text) }

    /// What an element is: `HTMLTag.unknown` for one that HTML does not know, and for other nodes.
    var tag: HTMLTag {
        guard node.pointee.type == GUMBO_NODE_ELEMENT else { return .unknown }
        return HTMLTag(number: Int(node.pointee.v.element.tag.rawValue))
    }

    /// The element's name in lower case; empty for one that HTML does not know and for other nodes.
    var name: String { tag.name }

    var children: some Sequence<HTMLNode> { (0..<childCount).lazy.map(child) }

    fileprivate var childCount: Int { Int(childNodes.length) }

    fileprivate func child(_ index: Int) -> HTMLNode {
        // A vector of libgumbo holds no null.
        HTMLNode(node: UnsafePointer(childNodes.data[index]!.assumingMemoryBound(to: GumboNode.self)))
    }

    private var childNodes: GumboVector {
        switch node.pointee.type {
        case GUMBO_NODE_DOCUMENT: node.pointee.v.document.children
        case GUMBO_NODE_ELEMENT, GUMBO_NODE_TEMPLATE: node.pointee.v.element.children
        default: GumboVector()
        }
    }

    /// The text right inside, such as that of a `<style>` element.
    var textContent: String {
        children.filter { $0.kind == .text }.map { String(decoding: $0.text, as: UTF8.self) }.joined()
    }

    /// In the order of the source, each name once and in lower case as libgumbo makes them, entities decoded: UTF-8.
    var attributes: some Sequence<(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)> {
        let attributes = node.pointee.v.element.attributes
        return (0..<Int(attributes.length)).lazy.map { index in
            let attribute = attributes.data[index]!.assumingMemoryBound(to: GumboAttribute.self).pointee
            return (Self.bytes(attribute.name), Self.bytes(attribute.value))
        }
    }

    /// - Returns: nil where the element has no such attribute.
    func attribute(_ name: StaticString) -> String? {
        let name = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        return attributes.first { $0.name.elementsEqual(name) }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private static func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8> {
        guard let text else { return UnsafeBufferPointer(start: nil, count: 0) }
        let length = strlen(text)
        return text.withMemoryRebound(to: UInt8.self, capacity: length) {
            UnsafeBufferPointer(start: $0, count: length)
        }
    }
}

/// What an element is.
struct HTMLTag: Hashable {
    /// libgumbo's number for it, below `count`.
    let number: Int

    init(number: Int) { self.number = number }

    private init(_ tag: GumboTag) { number = Int(tag.rawValue) }

    /// - Parameter name: In lower case; one that HTML does not know gives `unknown`.
    init(_ name: String) { self.init(gumbo_tag_enum(name)) }

    static let unknown = HTMLTag(GUMBO_TAG_UNKNOWN)
    /// As many numbers as there are.
    static let count = Int(GUMBO_TAG_LAST.rawValue)

    /// Empty for `unknown`.
    var name: String { String(cString: gumbo_normalized_tagname(GumboTag(rawValue: numericCast(number)))) }
}

/// A walk over all that is in an element, in the order of the text. It keeps its own stack, so that no nesting is too
/// deep for it.
struct HTMLWalk {
    enum Event {
        case text(UnsafeBufferPointer<UInt8>)
        case open(HTMLNode)
        case close(HTMLNode)
    }

    private var ancestors: [(node: HTMLNode, next: Int)]

    init(in node: HTMLNode) { ancestors = [(node, 0)] }

    mutating func next() -> Event? {
        while let (node, index) = ancestors.last {
            guard index < node.childCount else {
                ancestors.removeLast()
                return ancestors.isEmpty ? nil : .close(node)
            }
            ancestors[ancestors.count - 1].next += 1
            let child = node.child(index)
            switch child.kind {
            case .ignored: continue
            case .text: return .text(child.text)
            case .element:
                ancestors.append((child, 0))
                return .open(child)
            }
        }
        return nil
    }

    /// Leaves out what is in the element that was just opened; its end is not told.
    mutating func skip() { ancestors.removeLast() }
}
