/// Declarations, of a `style` attribute or of a rule, written anew from the allow-list.
enum CSSDeclarations {
    private static let longestText = 1 << 16

    /// - Parameter image: What to write for an image's URL; nil leaves its declaration out.
    /// - Returns: empty when nothing remains.
    static func rewrite(_ text: String, image: (String) -> String?) -> String {
        guard text.utf8.count <= longestText else { return "" }
        return rewrite(CSSTokenizer.tokens(of: text)[...], image: image)
    }

    static func rewrite(_ tokens: ArraySlice<CSSToken>, image: (String) -> String?) -> String {
        tokens.split(separator: .semicolon).compactMap { declaration($0, image: image) }.joined(separator: "; ")
    }

    private static func declaration(_ tokens: ArraySlice<CSSToken>, image: (String) -> String?) -> String? {
        let tokens = tokens.drop { $0 == .space }
        guard case .ident(let name)? = tokens.first else { return nil }
        let property = name.lowercased()
        guard AllowList.properties.contains(property) else { return nil }
        let afterName = tokens.dropFirst().drop { $0 == .space }
        guard afterName.first == .colon else { return nil }
        var value = ""
        var openFunctions = 0
        for token in afterName.dropFirst() {
            switch token {
            case .function: openFunctions += 1
            case .closeParenthesis: openFunctions -= 1
            default: break
            }
            guard openFunctions >= 0, let text = write(token, of: property, image: image) else { return nil }
            if !(text == " " && (value.isEmpty || value.hasSuffix(" "))) { value += text }
        }
        if value.hasSuffix(" ") { value.removeLast() }
        value += String(repeating: ")", count: openFunctions)
        return value.isEmpty ? nil : "\(property): \(value)"
    }

    private static func write(_ token: CSSToken, of property: String, image: (String) -> String?) -> String? {
        switch token {
        case .space: " "
        case .comma: ","
        case .slash: "/"
        case .bang: "!"
        case .closeParenthesis: ")"
        case .ident(let name): isWord(name) ? name.lowercased() : nil
        case .hash(let digits):
            digits.utf8.count <= 8 && digits.allSatisfy(\.isHexDigit) && isWord(digits)
                ? "#" + digits : nil
        // A negative margin could lay a mail over what stands around it.
        case .number(let text): property.hasPrefix("margin") && text.hasPrefix("-") ? nil : text
        case .string(let text): isFontName(text) ? "'\(text)'" : nil
        case .function(let name): AllowList.functions.contains(name) ? name + "(" : nil
        case .url(let url):
            AllowList.imageProperties.contains(property)
                ? image(url).map { "url(\"" + URLReference.encode($0.utf8) + "\")" } : nil
        case .colon, .semicolon, .openParenthesis, .openBrace, .closeBrace, .atKeyword, .mark, .other: nil
        }
    }

    static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
            }
    }

    /// Letters of any script, digits, space and a few marks: nothing that could end the string.
    private static func isFontName(_ text: String) -> Bool {
        text.utf8.count <= 128
            && text.unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || ("0"..."9").contains($0) || " .-_+,".unicodeScalars.contains($0)
            }
    }
}
