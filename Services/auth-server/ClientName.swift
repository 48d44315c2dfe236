/// The name of a program as somebody sees it who does not look closely (UTS #39, in small): without accents, spaces and
/// signs, and with one letter for all that look like it.
struct ClientName: Sendable {
    private let words: [String]

    init(_ name: String) {
        let folded = name.lowercased().unicodeScalars.map(Self.folded)
        words = String(String.UnicodeScalarView(folded)).split(separator: " ").map(Self.skeleton)
    }

    /// Whether it could be taken for that one: the same, with other words beside it, or written in one.
    /// - Parameter known: What stands in parentheses does not count.
    func passes(for known: String) -> Bool {
        let known = ClientName(String(known.prefix { $0 != "(" })).words.joined()
        let whole = words.joined()
        return whole == known || words.contains(known) || known.count > 4 && whole.contains(known)
    }

    private static func skeleton(_ word: Substring) -> String {
        String(word).replacing("rn", with: "m").replacing("vv", with: "w")
    }

    /// The letter that it looks like; a space for what is no letter and no digit.
    private static func folded(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        if let known = lookAlikes[scalar] { return known }
        switch scalar {
        case "a"..."z", "0"..."9": return scalar
        default: break
        }
        // "LATIN SMALL LETTER E WITH ACUTE", "MATHEMATICAL BOLD SMALL E", "FULLWIDTH LATIN SMALL LETTER E"
        let words = (scalar.properties.name ?? "").split(separator: " ").prefix { $0 != "WITH" }
        if let letter = words.last, letter.utf8.count == 1, let base = letter.lowercased().unicodeScalars.first {
            return lookAlikes[base] ?? base
        }
        return scalar.properties.isAlphabetic ? scalar : " "
    }

    private static let lookAlikes: [Unicode.Scalar: Unicode.Scalar] = {
        let pairs = [
            "a": "аα@", "b": "вьβ", "c": "сϲ", "d": "ԁ", "e": "еєε3", "h": "һн", "j": "ј", "k": "кκ", "l": "iı1|ӏіι!",
            "m": "м", "n": "пη", "o": "оοσ0", "p": "рρ", "q": "ԛ", "s": "ѕ5$", "t": "тτ", "u": "υμ", "v": "ѵν",
            "w": "ԝω",
            "x": "хχ", "y": "уγ",
        ]
        var table: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (letter, others) in pairs {
            for other in others.unicodeScalars { table[other] = letter.unicodeScalars.first }
        }
        return table
    }()
}
