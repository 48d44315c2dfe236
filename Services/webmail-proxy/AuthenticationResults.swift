/// What our own mail server found when the message came in (RFC 8601).
struct AuthenticationResults: Equatable {
    /// `pass`, `fail`, `none`, …; nil when that method was not checked.
    var spf: String?
    var dkim: String?
    var dmarc: String?

    /// - Parameter headers: The values of the `Authentication-Results` headers, topmost first. Only the topmost counts:
    ///   it is the one the receiving server put on; any below may have been sent along by a forger (RFC 8601 §5).
    init(_ headers: [String]) {
        guard let header = headers.first else { return }
        for result in Self.withoutComments(header).split(separator: ";").dropFirst() {
            guard let words = result.split(whereSeparator: \.isWhitespace).first?.split(separator: "="),
                words.count == 2
            else { continue }
            let verdict = words[1].lowercased()
            guard verdict.utf8.allSatisfy({ (0x61...0x7a).contains($0) }) else { continue }
            switch words[0].lowercased() {
            case "spf": spf = spf ?? verdict
            // Of several signatures one that holds is enough (RFC 6376 §4.2).
            case "dkim": dkim = dkim == "pass" ? dkim : verdict == "pass" ? verdict : dkim ?? verdict
            case "dmarc": dmarc = dmarc ?? verdict
            default: break
            }
        }
    }

    /// Comments may hold semicolons.
    private static func withoutComments(_ text: String) -> String {
        var depth = 0
        return String(
            text.filter { character in
                if character == "(" { depth += 1 }
                defer { if character == ")" { depth = max(0, depth - 1) } }
                return depth == 0
            })
    }
}
