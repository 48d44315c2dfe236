/// The text of `<style>` elements, parsed (CSS Syntax Level 3, §5) and written anew: style rules and `@media` alone,
/// every selector put under the mail's own container.
///
/// `@import`, `@font-face`, `@keyframes` and all other at-rules are left out, as are selectors that ask for attributes
/// and pseudo-elements.
struct StyleSheet {
    private static let longestText = 256 << 10
    private static let longestOutput = 512 << 10
    private static let mostRules = 5000
    private static let deepestMedia = 3

    private let tokens: [CSSToken]
    private let scope: StyleScope
    private let image: (String) -> String?
    private var index = 0
    private var rulesLeft = Self.mostRules

    /// - Parameter image: What to write for an image's URL; nil leaves its declaration out.
    /// - Returns: CSS without `<`, so that nothing in it ends the element; empty when nothing remains.
    static func rewrite(_ text: String, scope: StyleScope, image: (String) -> String?) -> String {
        guard !text.isEmpty, text.utf8.count <= longestText else { return "" }
        return withoutActuallyEscaping(image) { image in
            var sheet = StyleSheet(tokens: CSSTokenizer.tokens(of: text), scope: scope, image: image)
            let css = sheet.rules(depth: 0)
            return css.utf8.count <= longestOutput && !css.utf8.contains(UInt8(ascii: "<")) ? css : ""
        }
    }

    private init(tokens: [CSSToken], scope: StyleScope, image: @escaping (String) -> String?) {
        self.tokens = tokens
        self.scope = scope
        self.image = image
    }

    /// Rules up to the end, or to the `}` of the block they stand in.
    private mutating func rules(depth: Int) -> String {
        var css = ""
        while index < tokens.count, rulesLeft > 0 {
            switch tokens[index] {
            case .space, .semicolon: index += 1
            case .closeBrace:
                index += 1
                if depth > 0 { return css }
            case .atKeyword(let name): css += atRule(name, depth: depth)
            default: css += styleRule()
            }
        }
        return css
    }

    private mutating func atRule(_ name: String, depth: Int) -> String {
        index += 1
        let prelude = take { $0 == .openBrace || $0 == .semicolon }
        guard index < tokens.count, tokens[index] == .openBrace else {
            index += 1
            return ""
        }
        index += 1
        guard name == "media", depth < Self.deepestMedia, let query = MediaQuery.rewrite(prelude) else {
            skipBlock()
            return ""
        }
        let inner = rules(depth: depth + 1)
        return inner.isEmpty ? "" : "@media \(query){\(inner)}"
    }

    private mutating func styleRule() -> String {
        rulesLeft -= 1
        let prelude = take { $0 == .openBrace }
        index = min(index + 1, tokens.count)
        let block = skipBlock()
        let selectors = prelude.split(separator: .comma, omittingEmptySubsequences: false)
            .prefix(100).compactMap(scope.selector)
        guard !selectors.isEmpty else { return "" }
        let declarations = CSSDeclarations.rewrite(block, image: image)
        return declarations.isEmpty ? "" : "\(selectors.joined(separator: ",")){\(declarations)}"
    }

    private mutating func take(until isEnd: (CSSToken) -> Bool) -> ArraySlice<CSSToken> {
        let start = index
        while index < tokens.count, !isEnd(tokens[index]) { index += 1 }
        return tokens[start..<index]
    }

    /// Passes what stands up to the `}` that ends the block, or to the end of the text, and the `}`.
    @discardableResult private mutating func skipBlock() -> ArraySlice<CSSToken> {
        let start = index
        var depth = 1
        while index < tokens.count {
            if tokens[index] == .openBrace { depth += 1 }
            if tokens[index] == .closeBrace { depth -= 1 }
            index += 1
            if depth == 0 { return tokens[start..<index - 1] }
        }
        return tokens[start..<index]
    }
}

/// Puts selectors under the element that holds a mail.
struct StyleScope {
    /// Before every id and class of the mail.
    let idPrefix: String

    /// The class of the element around a mail, which no selector of the mail can name.
    var container: String { idPrefix + "mail" }
    /// The class of the element that stands for the mail's `<body>`.
    var body: String { idPrefix + "body" }

    /// Letters, digits, `-` and `_` of a name, with the prefix before them, which a name that has it already keeps.
    func prefixed(_ name: some StringProtocol) -> String? {
        var text: [UInt8] = []
        return append(name.utf8, to: &text) ? String(decoding: text, as: UTF8.self) : nil
    }

    /// Appends what `prefixed` makes of the name.
    /// - Returns: false, with nothing appended, where nothing of it may be written.
    func append(_ name: some Sequence<UInt8>, to output: inout [UInt8]) -> Bool {
        let start = output.count
        output += idPrefix.utf8
        let nameStart = output.count
        for byte in name where Self.isNameByte(byte) { output.append(byte) }
        let length = output.count - nameStart
        guard (1...100).contains(length) else {
            output.removeSubrange(start...)
            return false
        }
        // No slice is kept: it would have all of the output copied by what is removed from it.
        if length > nameStart - start, output[nameStart...].starts(with: idPrefix.utf8) {
            output.removeSubrange(start..<nameStart)
        }
        return true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// One selector (Selectors Level 3) of types, classes, ids, a few pseudo-classes and combinators; nil for any other.
    func selector(_ tokens: ArraySlice<CSSToken>) -> String? {
        var reader = SelectorReader(scope: self)
        var tokens = tokens
        while tokens.last == .space { tokens.removeLast() }
        for token in tokens {
            guard reader.read(token) else { return nil }
        }
        guard let selector = reader.finished else { return nil }
        return ".\(container) " + selector
    }
}

private struct SelectorReader {
    let scope: StyleScope
    private var written = ""
    /// The part since the last combinator.
    private var compound = ""
    private var combinator: String?
    private var awaited: Character?

    init(scope: StyleScope) { self.scope = scope }

    /// The whole selector; nil when it is empty or ends in the middle.
    var finished: String? {
        guard awaited == nil, !compound.isEmpty, written.utf8.count < 1000 else { return nil }
        return written + compound
    }

    /// - Returns: false for what is not allowed.
    mutating func read(_ token: CSSToken) -> Bool {
        if let mark = awaited {
            awaited = nil
            return readName(token, after: mark)
        }
        switch token {
        case .space:
            if !compound.isEmpty { combine(" ") }
        case .mark(let mark) where mark == ".":
            begin()
            awaited = mark
        case .colon:
            begin()
            awaited = ":"
        case .hash(let name):
            begin()
            guard let id = scope.prefixed(name) else { return false }
            compound += "#" + id
        case .mark(let mark) where mark == "*":
            begin()
            guard compound.isEmpty else { return false }
            compound = "*"
        case .mark(let mark):
            if compound.isEmpty {
                guard combinator == " " else { return false }
                combinator = String(mark)
            } else {
                combine(String(mark))
            }
        case .ident(let name):
            begin()
            guard compound.isEmpty, let type = type(name.lowercased()) else { return false }
            compound = type
        default: return false
        }
        return written.utf8.count + compound.utf8.count < 1000
    }

    private mutating func readName(_ token: CSSToken, after mark: Character) -> Bool {
        guard case .ident(let name) = token else { return false }
        if mark == "." {
            guard let name = scope.prefixed(name) else { return false }
            compound += "." + name
            return true
        }
        let pseudo = name.lowercased()
        if pseudo == "root", compound.isEmpty {
            compound = "." + scope.body
            return true
        }
        guard AllowList.pseudoClasses.contains(pseudo) else { return false }
        compound += ":" + pseudo
        return true
    }

    private func type(_ name: String) -> String? {
        if name == "body" || name == "html" { return "." + scope.body }
        return AllowList.elements.contains(name) ? name : nil
    }

    private mutating func combine(_ mark: String) {
        written += compound
        compound = ""
        combinator = mark
    }

    /// A new part begins, if the last one is written.
    private mutating func begin() {
        guard compound.isEmpty, let combinator else { return }
        written += combinator
        self.combinator = nil
    }
}

/// The condition of an `@media` rule (Media Queries Level 4): words, numbers and parentheses.
enum MediaQuery {
    static func rewrite(_ tokens: ArraySlice<CSSToken>) -> String? {
        var text = ""
        var depth = 0
        for token in tokens {
            switch token {
            case .space: if !text.isEmpty, !text.hasSuffix(" ") { text += " " }
            case .ident(let name):
                guard CSSDeclarations.isWord(name) else { return nil }
                text += name.lowercased()
            case .number(let number): text += number
            case .colon: text += ":"
            case .comma: text += ","
            case .slash: text += "/"
            case .openParenthesis:
                depth += 1
                text += "("
            // `and(` without a space is a function to CSS; browsers and mails do not mean one.
            case .closeParenthesis:
                depth -= 1
                text += ")"
            default: return nil
            }
            guard depth >= 0, text.utf8.count <= 500 else { return nil }
        }
        if text.hasSuffix(" ") { text.removeLast() }
        return depth == 0 && !text.isEmpty ? text : nil
    }
}
