/// The languages of the pages.
enum PageLanguage: String, Codable, Sendable, CaseIterable {
    case english = "en"
    case german = "de"

    /// In its own words.
    var name: String {
        switch self {
        case .english: "English"
        case .german: "Deutsch"
        }
    }

    /// What the person wants most of what there is.
    ///
    /// - Parameters:
    ///   - locales: `ui_locales`, in order of preference (OpenID Connect Core §3.1.2.1), or a choice made on the page.
    ///   - accepted: `Accept-Language` (RFC 9110 §12.5.4).
    init(locales: String?, accepted: String?) {
        let asked = (locales ?? "").split(separator: " ").map(String.init)
        let ranked = (accepted ?? "").prefix(500).split(separator: ",").map { part -> (tag: String, weight: Double) in
            let pieces = part.split(separator: ";")
            let tag = (pieces.first ?? "").filter { $0 != " " }
            let weight = pieces.dropFirst().compactMap { piece -> Double? in
                let trimmed = piece.filter { $0 != " " }
                return trimmed.hasPrefix("q=") ? Double(trimmed.dropFirst(2)) : nil
            }
            return (tag, weight.first ?? 1)
        }
        let wanted = asked + ranked.filter { $0.weight > 0 }.sorted { $0.weight > $1.weight }.map(\.tag)
        self = wanted.lazy.compactMap { PageLanguage(rawValue: $0.prefix(2).lowercased()) }.first ?? .english
    }
}
