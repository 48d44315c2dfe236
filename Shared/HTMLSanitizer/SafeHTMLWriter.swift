/// Walks a parsed body and writes what the allow-lists let through.
struct SafeHTMLWriter {
    let scope: StyleScope
    private var images: ImageReferences
    private var output: [UInt8] = []
    /// Of the elements around, whether each was written.
    private var isWritten: [Bool] = []
    private var depth = 0
    /// The text of the `<style>` elements.
    private var styles = ""
    /// What became of `style` attributes, escaped: mails say the same again and again. None that shows an image, since
    /// those are counted.
    private var declarations: [String: [UInt8]] = [:]
    private(set) var css = ""
    private(set) var html = ""

    /// Elements nested deeper are left out and their content kept.
    private static let deepestElement = 200
    private static let longestOutput = 32 << 20
    private static let mostDeclarations = 1000

    init(policy: HTMLSanitizer) {
        scope = StyleScope(idPrefix: policy.idPrefix)
        images = ImageReferences(policy: policy)
    }

    var remoteImagesBlocked: Int { images.blocked }
    var inlineImages: Set<String> { images.inline }

    /// - Returns: whether all of it was written within the limits.
    mutating func write(head: HTMLNode?, body: HTMLNode) -> Bool {
        if let head {
            for node in head.children where node.name == "style" { styles += node.textContent + "\n" }
        }
        guard writeChildren(of: body) else { return false }
        css = StyleSheet.rewrite(styles, scope: scope) { images.url($0) }
        let content = output
        // The body's colours and fonts are the mail's background: they live on in a div, which its styles may name.
        output = Array("<div".utf8)
        let hasAttributes = appendAttributes(of: body, class: scope.body)
        output.append(UInt8(ascii: ">"))
        let isNamed = hasAttributes || !css.isEmpty
        html = String(decoding: isNamed ? output + content + "</div>".utf8 : content, as: UTF8.self)
        return true
    }

    private mutating func writeChildren(of body: HTMLNode) -> Bool {
        var walk = HTMLWalk(in: body)
        while let event = walk.next() {
            guard output.count <= Self.longestOutput else { return false }
            switch event {
            case .text(let text): HTMLText.append(text, to: &output)
            case .open(let node): if !open(node) { walk.skip() }
            case .close(let node):
                guard isWritten.removeLast() else { continue }
                depth -= 1
                output += "</".utf8
                output += ElementRule.of(node.tag).name
                output.append(UInt8(ascii: ">"))
            }
        }
        return true
    }

    /// - Returns: whether what is in it is to be written.
    private mutating func open(_ node: HTMLNode) -> Bool {
        let rule = ElementRule.of(node.tag)
        switch rule.kind {
        case .dropped:
            if rule.element == .style { styles += node.textContent + "\n" }
            return false
        case .unwrapped:
            isWritten.append(false)
            return true
        case .written, .void:
            guard depth < Self.deepestElement else {
                if rule.kind == .void { return false }
                isWritten.append(false)
                return true
            }
            output.append(UInt8(ascii: "<"))
            output += rule.name
            appendAttributes(of: node, rule.element)
            output.append(UInt8(ascii: ">"))
            if rule.kind == .void { return false }
            // A parser drops one line end after <pre>.
            if rule.element == .pre { output.append(0x0a) }
            isWritten.append(true)
            depth += 1
            return true
        }
    }

    /// - Parameter class: One that the element has beside its own.
    /// - Returns: whether any but that class was written.
    @discardableResult
    private mutating func appendAttributes(
        of node: HTMLNode, _ element: ElementRule.Element = .other, class own: String? = nil
    ) -> Bool {
        let start = output.count
        var hasSource = false
        var own = own
        for (name, value) in node.attributes {
            guard let rule = AttributeRule.of(name, in: element) else { continue }
            if rule == .source { hasSource = true }
            let mark = output.count
            output.append(0x20)
            output.append(contentsOf: name)
            output += "=\"".utf8
            if append(value, rule, class: &own) {
                output.append(UInt8(ascii: "\""))
            } else {
                output.removeSubrange(mark...)
            }
        }
        let hasAttributes = output.count > start
        if let own { output += " class=\"\(own)\"".utf8 }
        switch element {
        case .link: output += " rel=\"noopener noreferrer nofollow\" target=\"_blank\"".utf8
        case .image:
            if !hasSource, let source = node.attribute("srcset"),
                let url = source.split(whereSeparator: { $0.isWhitespace || $0 == "," }).first
                    .flatMap({ images.url(String($0)) })
            {
                output += " src=\"\(HTMLText.escape(url))\"".utf8
            }
            output += " referrerpolicy=\"no-referrer\"".utf8
        case .pre, .style, .other: break
        }
        return hasAttributes
    }

    /// Appends an attribute's value.
    ///
    /// - Returns: whether it may be written; if not, what is appended is to be taken away.
    private mutating func append(
        _ value: UnsafeBufferPointer<UInt8>, _ rule: AttributeRule, class own: inout String?
    ) -> Bool {
        switch rule {
        case .style: return appendDeclarations(String(decoding: value, as: UTF8.self))
        case .link: return append(link(String(decoding: value, as: UTF8.self)))
        case .source, .image: return append(images.url(String(decoding: value, as: UTF8.self)))
        case .id: return scope.append(value, to: &output)
        case .class:
            let start = output.count
            if let own { output += own.utf8 }
            let ownEnd = output.count
            for name in value.split(whereSeparator: Self.isSpace).prefix(50) {
                let mark = output.count
                if mark > start { output.append(0x20) }
                if !scope.append(name, to: &output) { output.removeSubrange(mark...) }
            }
            guard output.count > ownEnd else { return false }
            own = nil
            return true
        case .text:
            HTMLText.append(value, to: &output)
            return true
        case .plain:
            guard AllowList.isPlain(value) else { return false }
            output.append(contentsOf: value)
            return true
        }
    }

    private mutating func append(_ value: String?) -> Bool {
        guard var value else { return false }
        value.withUTF8 { HTMLText.append($0, to: &output) }
        return true
    }

    private mutating func appendDeclarations(_ text: String) -> Bool {
        if let known = declarations[text] {
            output += known
            return !known.isEmpty
        }
        var showsImage = false
        let safe = CSSDeclarations.rewrite(text) {
            showsImage = true
            return images.url($0)
        }
        let start = output.count
        guard append(safe), declarations.count < Self.mostDeclarations, !showsImage else { return !safe.isEmpty }
        declarations[text] = Array(output[start...])
        return !safe.isEmpty
    }

    private func link(_ text: String) -> String? {
        switch URLReference(text) {
        case .web(let url), .mail(let url): url
        case .fragment(let id): scope.prefixed(id).map { "#" + $0 }
        case .contentID, .dataImage, nil: nil
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0c || byte == 0x0d
    }
}

/// What becomes of the images a mail refers to, and how many were left out.
struct ImageReferences {
    let policy: HTMLSanitizer
    private(set) var blocked = 0
    private(set) var inline: Set<String> = []

    init(policy: HTMLSanitizer) { self.policy = policy }

    /// The URL to write instead; nil leaves the image out.
    mutating func url(_ text: String) -> String? {
        switch URLReference(text) {
        case .dataImage(let url): return url
        case .contentID(let id):
            guard let url = policy.inlineImage(id) else { return nil }
            inline.insert(id)
            return url
        case .web(let url):
            let safe: String? =
                switch policy.remoteImages {
                case .blocked: nil
                case .allowed: url
                case .rewritten(let rewrite): rewrite(url)
                }
            if safe == nil { blocked += 1 }
            return safe
        case .mail, .fragment, nil: return nil
        }
    }
}
