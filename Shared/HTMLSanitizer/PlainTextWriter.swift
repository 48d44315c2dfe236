/// Walks a parsed body and writes its text with white space collapsed as a browser does.
struct PlainTextWriter {
    private var output = ""
    private var lineBreaks = 0
    private var needsSpace = false
    /// How many elements around keep white space as it is.
    private var preformatted = 0

    private static let paragraphs: Set<String> = [
        "blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul",
    ]
    private static let blocks: Set<String> = [
        "address", "article", "aside", "caption", "center", "dd", "div", "dt", "fieldset", "figcaption", "footer",
        "form", "header", "hr", "li", "main", "nav", "section", "tr",
    ]
    private static let cells: Set<String> = ["td", "th"]
    private static let longestText = 4 << 20

    mutating func write(_ body: HTMLNode) -> String {
        var walk = HTMLWalk(in: body)
        while let event = walk.next(), output.utf8.count < Self.longestText {
            switch event {
            case .text(let text):
                let text = String(decoding: text, as: UTF8.self)
                if preformatted > 0 { appendLines(text) } else { append(text) }
            case .open(let node): if !open(node) { walk.skip() }
            case .close(let node):
                if node.tag == Self.pre { preformatted -= 1 }
                mark(node.name)
            }
        }
        return output
    }

    private static let pre = HTMLTag("pre")

    /// - Returns: whether what is in it is to be read.
    private mutating func open(_ node: HTMLNode) -> Bool {
        let name = node.name
        guard !AllowList.elementsDroppedWhole.contains(name) else { return false }
        switch name {
        case "br":
            lineBreaks += 1
            return false
        case "img":
            append(node.attribute("alt") ?? "")
            return false
        case "li":
            mark(name)
            append("- ")
        default: mark(name)
        }
        if node.tag == Self.pre { preformatted += 1 }
        return true
    }

    /// The white space at either edge of an element.
    private mutating func mark(_ name: String) {
        if Self.paragraphs.contains(name) {
            lineBreaks = max(lineBreaks, 2)
        } else if Self.blocks.contains(name) {
            lineBreaks = max(lineBreaks, 1)
        } else if Self.cells.contains(name) {
            needsSpace = true
        }
    }

    private mutating func append(_ text: String) {
        for scalar in text.unicodeScalars {
            // The no-break space is white space to a reader of plain text, but it does not collapse.
            switch scalar {
            case " ", "\t", "\n", "\r", "\u{0C}": needsSpace = true
            default: appendVisible(scalar == "\u{A0}" ? " " : scalar)
            }
        }
    }

    private mutating func appendLines(_ text: String) {
        for scalar in text.unicodeScalars {
            if scalar == "\n" { lineBreaks += 1 } else { appendVisible(scalar) }
        }
    }

    private mutating func appendVisible(_ scalar: Unicode.Scalar) {
        if !output.isEmpty {
            if lineBreaks > 0 {
                output += String(repeating: "\n", count: min(lineBreaks, 3))
            } else if needsSpace, output.unicodeScalars.last != " " {
                output += " "
            }
        }
        (lineBreaks, needsSpace) = (0, false)
        output.unicodeScalars.append(scalar)
    }
}
