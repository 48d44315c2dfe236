/// What may be written. An element is in one of the two lists below, or it is left out and its content kept.
enum AllowList {
    static let elements: Set<String> = [
        "a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption",
        "center", "cite", "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption",
        "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li",
        "main", "mark", "nav", "nobr", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section", "small",
        "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt",
        "u", "ul", "var", "wbr",
    ]

    /// Left out together with all that they hold.
    static let elementsDroppedWhole: Set<String> = [
        "applet", "area", "audio", "base", "canvas", "datalist", "embed", "frame", "frameset", "head", "iframe",
        "input", "keygen", "link", "map", "math", "meta", "noembed", "noframes", "noscript", "object", "optgroup",
        "option", "param", "plaintext", "script", "select", "source", "style", "svg", "template", "textarea", "title",
        "track", "video", "xmp",
    ]

    static let voidElements: Set<String> = ["br", "col", "hr", "img", "wbr"]

    /// Free text: escaped, otherwise as it is.
    static let textAttributes: Set<String> = ["alt", "title", "abbr", "summary", "lang", "dir"]

    /// Keywords, numbers, lengths and colours.
    static let plainAttributes: Set<String> = [
        "align", "bgcolor", "border", "bordercolor", "cellpadding", "cellspacing", "clear", "color", "colspan",
        "compact", "datetime", "face", "height", "hspace", "noshade", "nowrap", "reversed", "rowspan", "rules",
        "scope", "size", "span", "start", "type", "valign", "value", "vspace", "width",
    ]

    static func isPlain(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        value.count <= 128
            && value.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "#"), UInt8(ascii: "%"), UInt8(ascii: "."),
                    UInt8(ascii: ","), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), 0x20:
                    true
                default: false
                }
            }
    }

    /// Nothing here moves content out of its place (`position`, `transform`), fetches (`cursor`, `content`, `filter`)
    /// or runs over time.
    static let properties: Set<String> = [
        "background", "background-color", "background-image", "background-position", "background-repeat",
        "background-size", "border", "border-bottom", "border-bottom-color", "border-bottom-left-radius",
        "border-bottom-right-radius", "border-bottom-style", "border-bottom-width", "border-collapse", "border-color",
        "border-left", "border-left-color", "border-left-style", "border-left-width", "border-radius", "border-right",
        "border-right-color", "border-right-style", "border-right-width", "border-spacing", "border-style",
        "border-top", "border-top-color", "border-top-left-radius", "border-top-right-radius", "border-top-style",
        "border-top-width", "border-width", "box-sizing", "caption-side", "clear", "color", "direction", "display",
        "empty-cells", "float", "font", "font-family", "font-size", "font-style", "font-variant", "font-weight",
        "height", "letter-spacing", "line-height", "list-style", "list-style-image", "list-style-position",
        "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height",
        "max-width", "min-height", "min-width", "opacity", "overflow", "overflow-wrap", "padding", "padding-bottom",
        "padding-left", "padding-right", "padding-top", "table-layout", "text-align", "text-decoration",
        "text-indent", "text-transform", "unicode-bidi", "vertical-align", "visibility", "white-space", "width",
        "word-break", "word-spacing", "word-wrap",
    ]

    static let imageProperties: Set<String> = ["background", "background-image", "list-style", "list-style-image"]

    /// Of selectors; none that asks for what the reader did or where a link leads, beyond what is shown to the reader.
    static let pseudoClasses: Set<String> = [
        "active", "empty", "first-child", "first-of-type", "focus", "hover", "last-child", "last-of-type", "link",
        "only-child", "visited",
    ]

    static let functions: Set<String> = ["rgb", "rgba", "hsl", "hsla", "linear-gradient", "radial-gradient"]
}
