/// An address `local@domain` as we store and compare it: lower case, the domain as A-labels.
///
/// The grammar is the dot-atom form of RFC 5321 §4.1.2 with UTF-8 in the local part (RFC 6531 §3.3); quoted local
/// parts and address literals are not mailboxes we host and are refused.
public struct EmailAddress: Sendable, Hashable, CustomStringConvertible {
    /// At most 64 octets (RFC 5321 §4.5.3.1.1).
    public let localPart: String
    public let domain: DomainName

    public init(localPart: String, domain: DomainName) throws(Failure) {
        let local = localPart.lowercased()
        guard Self.isDotAtom(local), local.utf8.count <= 64 else {
            throw .invalid(
                "local_part", code: "invalid_local_part",
                "must be 1 to 64 bytes of letters, digits and !#$%&'*+-/=?^_`{|}~, with single dots between them")
        }
        self.localPart = local
        self.domain = domain
    }

    /// - Throws: `Failure` of kind `invalid` for the field `field`.
    public init(_ text: String, field: String = "email") throws(Failure) {
        guard let at = text.lastIndex(of: "@"),
            let domain = try? DomainName(String(text[text.index(after: at)...])),
            let address = try? EmailAddress(localPart: String(text[..<at]), domain: domain)
        else { throw .invalid(field, code: "invalid_address", "must be an address like name@example.com") }
        self = address
    }

    public var description: String { "\(localPart)@\(domain)" }

    private static let specials = Set("!#$%&'*+-/=?^_`{|}~".utf8)

    private static func isDotAtom(_ text: String) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && (atom.utf8.allSatisfy(isAtomByte) || atom.unicodeScalars.allSatisfy(isAtomScalar))
        }
    }

    private static func isAtomByte(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
            || specials.contains(byte)
    }

    private static func isAtomScalar(_ scalar: Unicode.Scalar) -> Bool {
        if let byte = UInt8(exactly: scalar.value), byte < 0x80 { return isAtomByte(byte) }
        return scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            || scalar.properties.generalCategory == .nonspacingMark
    }
}

/// A fully qualified domain name without the trailing dot, lower case, as A-labels (RFC 5890 §2.3.2.1).
public struct DomainName: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// - Parameter text: A host name; a non-ASCII label is encoded by Punycode (RFC 3492).
    /// - Throws: `Failure` of kind `invalid` for the field `field`.
    public init(_ text: String, field: String = "domain") throws(Failure) {
        let trimmed = text.hasSuffix(".") ? String(text.dropLast()) : text
        let labels = trimmed.lowercased().split(separator: ".", omittingEmptySubsequences: false)
            .map { label in label.utf8.allSatisfy { $0 < 0x80 } ? String(label) : "xn--" + Punycode.encode(label) }
        let name = labels.joined(separator: ".")
        guard labels.count >= 2, name.utf8.count <= 253, labels.allSatisfy(Self.isLabel),
            labels.last?.utf8.contains(where: { $0 >= 0x61 && $0 <= 0x7a }) == true
        else { throw .invalid(field, code: "invalid_domain", "must be a domain name like example.com") }
        self.description = name
    }

    /// LDH labels of RFC 5890 §2.3.1: 1 to 63 letters, digits and hyphens, no hyphen at either end.
    private static func isLabel(_ label: String) -> Bool {
        let bytes = Array(label.utf8)
        return (1...63).contains(bytes.count) && bytes.first != 0x2d && bytes.last != 0x2d
            && bytes.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2d }
    }
}
