import Foundation
import MailModel

/// Which names may be hosted: those that the world can have, and that nobody takes for another.
struct HostedName: Sendable {
    /// Names that are nobody's, with all below them (RFC 6761, RFC 7686, RFC 8375, RFC 9476).
    private static let nobodys = [
        "localhost", "local", "invalid", "onion", "arpa", "internal", "alt", "localdomain",
    ]

    /// The platform's own names, as the settings say.
    let reserved: [String]

    /// - Throws: `Failure` `invalid` for the field `domain`.
    func check(_ text: String) throws -> DomainName {
        guard text.utf8.count <= 1000 else {
            throw Self.refusal("invalid_domain", "must be a domain name like example.com")
        }
        // Composed, so that one name has one spelling (RFC 5891 §4.1).
        let name = try DomainName(text.precomposedStringWithCanonicalMapping)
        let last = name.description.split(separator: ".").last.map(String.init) ?? ""
        guard !Self.nobodys.contains(last) else {
            throw Self.refusal("reserved", "is a name that is kept for special use")
        }
        guard !reserved.contains(where: { name.description == $0 || $0.hasSuffix("." + name.description) }) else {
            throw Self.refusal("reserved", "is a name of the platform itself")
        }
        for label in name.description.split(separator: ".") { try Self.check(label) }
        return name
    }

    private static func check(_ label: Substring) throws {
        guard label.hasPrefix("xn--") else {
            // Two hyphens there mean an encoding (RFC 5891 §4.2.3.1), and this is the only one there is.
            guard label.dropFirst(2).prefix(2) != "--" else {
                throw refusal("invalid_domain", "has a label that cannot be")
            }
            return
        }
        guard let unicode = Punycode.decode(label.dropFirst(4)), !unicode.isEmpty,
            unicode == unicode.lowercased(), unicode == unicode.precomposedStringWithCanonicalMapping,
            unicode.unicodeScalars.contains(where: { $0.value >= 0x80 }),
            unicode.unicodeScalars.allSatisfy(isLetterLike),
            Punycode.encode(unicode) == label.dropFirst(4)
        else { throw refusal("invalid_domain", "has an xn-- label that encodes nothing (RFC 5891)") }
        guard !isConfusable(unicode) else {
            throw refusal("confusable", "mixes scripts, or is written to look like another name")
        }
    }

    /// Letters, digits, marks on letters, and the hyphen: no signs, spaces, controls (RFC 5892 §2.1).
    private static func isLetterLike(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark, .decimalNumber: true
        default: scalar == "-"
        }
    }

    /// Whether a label mixes scripts whose letters look alike, or is all of letters that look like Latin ones (Unicode
    /// Technical Standard 39, §5.1 and §4).
    static func isConfusable(_ label: String) -> Bool {
        var scripts: Set<Script> = []
        for scalar in label.unicodeScalars where scalar.properties.isAlphabetic { scripts.insert(Script(scalar)) }
        if scripts.intersection([.latin, .greek, .cyrillic, .armenian, .cherokee]).count > 1 { return true }
        guard scripts == [.cyrillic] || scripts == [.greek] else { return false }
        let letters = label.unicodeScalars.filter(\.properties.isAlphabetic)
        return letters.allSatisfy { likeLatin.contains($0) }
    }

    private static let likeLatin = Set("асԁеһіјӏорԛѕυѵԝхуъьαικνορτυωϲ".unicodeScalars)

    private enum Script {
        case latin, greek, cyrillic, armenian, cherokee, other

        init(_ scalar: Unicode.Scalar) {
            switch scalar.value {
            case 0x41...0x5a, 0x61...0x7a, 0xaa, 0xba, 0xc0...0x24f, 0x1e00...0x1eff: self = .latin
            case 0x370...0x3ff, 0x1f00...0x1fff: self = .greek
            case 0x400...0x52f, 0x1c80...0x1c8f, 0x2de0...0x2dff, 0xa640...0xa69f: self = .cyrillic
            case 0x530...0x58f: self = .armenian
            case 0x13a0...0x13ff, 0xab70...0xabbf: self = .cherokee
            default: self = .other
            }
        }
    }

    private static func refusal(_ code: String, _ message: String) -> Failure {
        .invalid("domain", code: code, message)
    }
}
