/// Markup that is escaped by construction: text from outside can only ever become text.
struct HTML: Sendable {
    let markup: String

    private init(markup: String) { self.markup = markup }

    /// Text, whatever is in it.
    static func text(_ text: String) -> HTML { HTML(markup: escaped(text)) }

    /// Nothing.
    static let none = HTML(markup: "")

    /// An element; an attribute without a value is left out, one with an empty value stands alone.
    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:], _ children: HTML...
    ) -> HTML {
        element(name, attributes, children)
    }

    static func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:], _ children: [HTML]
    ) -> HTML {
        var markup = "<\(name)"
        for (key, value) in attributes {
            guard let value else { continue }
            markup += value.isEmpty ? " \(key)" : " \(key)=\"\(escaped(value))\""
        }
        markup += ">"
        if voidElements.contains("\(name)") { return HTML(markup: markup) }
        for child in children { markup += child.markup }
        return HTML(markup: markup + "</\(name)>")
    }

    /// Style rules of our own.
    static func style(_ rules: StaticString) -> HTML { HTML(markup: "<style>\(rules)</style>") }

    private static let voidElements: Set<String> = ["input", "meta", "br", "link"]

    private static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            // HTML has no way to write it (WHATWG, "character reference state").
            case "\0": result += "\u{fffd}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
