/// Walks a parsed body and writes its text with white space collapsed as a browser does.
struct PlainTextWriter {
    private var output = ""
    private var lineBreaks = 0
    private var needsSpace = false

    private static let paragraphs: Set<String> = [
        "blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul",
    ]
    private static let blocks: Set<String> = [
        "address", "article", "aside", "caption", "center", "dd", "div", "dt", "fieldset", "figcaption", "footer",
        "form", "header", "hr", "li", "main", "nav", "section", "tr",
    ]
    private static let cells: Set<String> = ["td", "th"]
    private static let longestText = 4 << 20

    private enum Step {
        case visit(HTMLNode, isPreformatted: Bool)
        case end(String)
    }

    mutating func write(_ body: HTMLNode) -> String {
        var steps = body.children.reversed().map { Step.visit($0, isPreformatted: false) }
        while let step = steps.popLast(), output.utf8.count < Self.longestText {
            switch step {
            case .end(let name): mark(name)
            case .visit(let node, let isPreformatted):
                switch node.kind {
                case .ignored: break
                case .text(let text): isPreformatted ? appendLines(text) : append(text)
                case .element: open(node, isPreformatted: isPreformatted, steps: &steps)
                }
            }
        }
        return output
    }

    private mutating func open(_ node: HTMLNode, isPreformatted: Bool, steps: inout [Step]) {
        let name = node.name
        guard !AllowList.elementsDroppedWhole.contains(name) else { return }
        if name == "br" { return lineBreaks += 1 }
        if name == "img" { return append(node.attributes.first { $0.name == "alt" }?.value ?? "") }
        mark(name)
        if name == "li" { append("- ") }
        steps.append(.end(name))
        for child in node.children.reversed() {
            steps.append(.visit(child, isPreformatted: isPreformatted || name == "pre"))
        }
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
