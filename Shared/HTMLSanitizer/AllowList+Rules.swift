/// What becomes of an element, by the allow-lists.
struct ElementRule {
    enum Kind {
        case written
        /// Written, and never has content.
        case void
        /// Left out, its content kept.
        case unwrapped
        /// Left out with all that it holds.
        case dropped
    }

    /// Those with rules of their own.
    enum Element {
        case link, image, pre, style, other
    }

    let kind: Kind
    let element: Element
    /// Lower case: UTF-8.
    let name: [UInt8]

    private init(_ tag: HTMLTag) {
        let name = tag.name
        self.name = Array(name.utf8)
        kind =
            if AllowList.elementsDroppedWhole.contains(name) {
                .dropped
            } else if !AllowList.elements.contains(name) {
                .unwrapped
            } else {
                AllowList.voidElements.contains(name) ? .void : .written
            }
        element =
            switch name {
            case "a": .link
            case "img": .image
            case "pre": .pre
            case "style": .style
            default: .other
            }
    }

    private static let rules = (0..<HTMLTag.count).map { ElementRule(HTMLTag(number: $0)) }

    static func of(_ tag: HTMLTag) -> ElementRule { rules[tag.number] }
}

/// How an attribute's value is written.
enum AttributeRule {
    case style
    /// `href` of a link
    case link
    /// `src` of an image
    case source
    /// `background`
    case image
    case id
    case `class`
    /// As it is, escaped.
    case text
    /// As it is, if it is a keyword, a number, a length or a colour.
    case plain

    /// - Parameter name: In lower case.
    /// - Returns: nil for one that is left out.
    static func of(_ name: UnsafeBufferPointer<UInt8>, in element: ElementRule.Element) -> AttributeRule? {
        // Longer names are none of those allowed; the string of a short one lives in no memory of its own.
        guard name.count <= 15 else { return nil }
        return switch String(decoding: name, as: UTF8.self) {
        case "style": .style
        case "href": element == .link ? .link : nil
        case "src": element == .image ? .source : nil
        case "background": .image
        case "id": .id
        case "name": element == .link ? .id : nil
        case "class": .class
        case let name: others[name]
        }
    }

    private static let others = Dictionary(
        uniqueKeysWithValues: AllowList.textAttributes.map { ($0, AttributeRule.text) }
            + AllowList.plainAttributes.map { ($0, AttributeRule.plain) })
}
