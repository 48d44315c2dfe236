extension HTMLSanitizer {
    /// Plain text as a safe HTML fragment: escaped, line ends and spaces kept, web and mail addresses linked.
    public static func plainToHTML(_ text: String) -> String { "" }

    /// The text of an HTML document as a reader would see it: blocks on lines of their own, no scripts or styles.
    public static func htmlToText(_ html: String) -> String { "" }

    /// The first words of a plain text for a list of messages: one line, white space collapsed, invisible filler and
    /// quoted lines left out, at most `limit` characters.
    public static func preview(_ plain: String, limit: Int = 200) -> String { "" }
}
