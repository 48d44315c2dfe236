/// Text with `format=flowed` (RFC 3676).
enum FlowedText {
    /// Joins the lines of each paragraph; quoted lines keep `>` marks, one space after them.
    static func unwrap(_ text: String, deletesSpaces: Bool) -> String {
        var output: [String] = []
        var paragraph: (depth: Int, text: String)?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let marks = line.prefix { $0 == ">" }
            var content = line.dropFirst(marks.count)
            if content.first == " " { content = content.dropFirst() }  // space-stuffing, §4.4
            let isSignature = content == "-- "  // §4.3
            let flows = content.last == " " && !isSignature

            // A paragraph ends where the quote depth changes (§4.5) and before a signature.
            if let open = paragraph, open.depth != marks.count || isSignature {
                output.append(quote(open))
                paragraph = nil
            }
            let joined = (paragraph?.text ?? "") + (flows && deletesSpaces ? content.dropLast() : content)
            if flows {
                paragraph = (marks.count, joined)
            } else {
                output.append(quote((marks.count, joined)))
                paragraph = nil
            }
        }
        if let open = paragraph { output.append(quote(open)) }
        return output.joined(separator: "\n")
    }

    private static func quote(_ paragraph: (depth: Int, text: String)) -> String {
        guard paragraph.depth > 0 else { return paragraph.text }
        return String(repeating: ">", count: paragraph.depth) + " " + paragraph.text
    }
}
