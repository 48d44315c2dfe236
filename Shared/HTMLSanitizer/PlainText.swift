extension HTMLSanitizer {
    /// Plain text as a safe HTML fragment: escaped, line ends and spaces kept, web and mail addresses linked. Lines that
    /// begin with `>` become block quotes, nested as their marks are. No colours: it reads on any ground.
    public static func plainToHTML(_ text: String) -> String {
        var html = "<div style=\"white-space: pre-wrap\">"
        var depth = 0
        var isFirst = true
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let (quoted, content) = quote(line)
            if quoted != depth {
                html += String(repeating: "<blockquote type=\"cite\">", count: max(0, quoted - depth))
                html += String(repeating: "</blockquote>", count: max(0, depth - quoted))
                depth = quoted
            } else if !isFirst {
                html += "\n"
            }
            isFirst = false
            appendLinked(content, to: &html)
        }
        return html + String(repeating: "</blockquote>", count: depth) + "</div>"
    }

    private static let deepestQuote = 20

    /// How deep a line is quoted, and what is quoted: `> > text`.
    private static func quote(_ line: Substring) -> (depth: Int, content: Substring) {
        var rest = line
        var depth = 0
        while rest.first == ">", depth < deepestQuote {
            depth += 1
            rest = rest.dropFirst()
            if rest.first == " " { rest = rest.dropFirst() }
        }
        return (depth, rest)
    }

    private static func appendLinked(_ line: Substring, to html: inout String) {
        var rest = line
        while !rest.isEmpty {
            let space = rest.prefix(while: \.isWhitespace)
            html += HTMLText.escape(space)
            rest = rest[space.endIndex...]
            let word = rest.prefix { !$0.isWhitespace }
            html += linked(word)
            rest = rest[word.endIndex...]
        }
    }

    /// The text of an HTML document as a reader would see it: blocks on lines of their own, no scripts or styles.
    public static func htmlToText(_ html: String) -> String {
        HTMLTree.withDocument(of: html) { _, body in
            var writer = PlainTextWriter()
            return writer.write(body)
        } ?? HTMLTree.withoutTags(html)
    }

    /// The first words of a plain text for a list of messages: one line, white space collapsed, invisible filler and
    /// quoted lines left out, at most `limit` characters.
    public static func preview(_ plain: String, limit: Int = 200) -> String {
        var preview = ""
        var count = 0
        // Filler before the first word can be long; a text of nothing else has no preview.
        for line in plain.prefix(20_000).split(whereSeparator: \.isNewline) where line.first != ">" {
            for word in line.split(whereSeparator: \.isWhitespace) {
                let visible = String(String.UnicodeScalarView(word.unicodeScalars.filter { !isFiller($0) }))
                guard !visible.isEmpty else { continue }
                let separator = preview.isEmpty ? "" : " "
                let room = limit - count - separator.count
                guard room > 0 else { return preview }
                let piece = separator + visible.prefix(room)
                preview += piece
                count += piece.count
            }
        }
        return preview
    }

    /// What newsletters pad their first line with, and controls.
    private static func isFiller(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format: scalar != "\u{200D}"  // the joiner holds emoji together
        default: scalar == "\u{034F}" || scalar == "\u{2800}" || scalar == "\u{3164}"
        }
    }

    /// A word with the address in it, if there is one, as a link.
    private static func linked(_ word: Substring) -> String {
        let core = word.drop { "([{<\"'".contains($0) }
        var end = core.endIndex
        while end > core.startIndex {
            let last = core[core.index(before: end)]
            let isOpened = last == ")" && core[..<end].contains("(")
            guard ".,;:!?\"'>]})".contains(last), !isOpened else { break }
            end = core.index(before: end)
        }
        let address = core[..<end]
        guard address.utf8.count <= 2048, let url = url(of: address) else { return HTMLText.escape(word) }
        let link = """
            <a href="\(HTMLText.escape(url))" rel="noopener noreferrer nofollow" target="_blank">\
            \(HTMLText.escape(address))</a>
            """
        return HTMLText.escape(word[..<address.startIndex]) + link + HTMLText.escape(word[end...])
    }

    private static func url(of text: Substring) -> String? {
        let lower = text.prefix(8).lowercased()
        if lower.hasPrefix("http://") || lower.hasPrefix("https://") || lower.hasPrefix("mailto:") {
            switch URLReference(String(text)) {
            case .web(let url), .mail(let url): return url
            default: return nil
            }
        }
        if lower.hasPrefix("www."), text.dropFirst(4).contains("."),
            case .web(let url) = URLReference("https://" + text)
        {
            return url
        }
        let halves = text.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count == 2, halves.allSatisfy({ isAddressHalf($0) }), halves[1].dropFirst().contains(".") else {
            return nil
        }
        return "mailto:" + text
    }

    private static func isAddressHalf(_ half: Substring) -> Bool {
        !half.isEmpty
            && half.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || "._%+-".utf8.contains($0)
            }
    }
}
