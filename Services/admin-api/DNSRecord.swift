import DNS
import MailModel

/// One record that a mail domain wants in the DNS.
struct DNSRecord: Sendable, Equatable, Codable {
    enum Kind: String, Sendable, Codable {
        case mx = "MX"
        case txt = "TXT"
        case cname = "CNAME"
        case srv = "SRV"
        case tlsa = "TLSA"

        var type: DNSType {
            switch self {
            case .mx: .mx
            case .txt: .txt
            case .cname: .cname
            case .srv: .srv
            case .tlsa: .tlsa
            }
        }
    }

    /// Absolute, without the trailing dot.
    let name: String
    let type: Kind
    /// In presentation format (RFC 1035 §5.1), host names absolute with the trailing dot, TXT quoted.
    let value: String
    /// Seconds.
    let ttl: Int

    /// Of a TXT record what says which of the texts at a name it is: `v=spf1`, `v=DMARC1`, …
    var tag: String? { type == .txt ? Self.tag(of: value) : nil }

    static func tag(of value: String) -> String {
        let text = (try? DNSPresentation.unquoted(value)) ?? []
        let tag = text.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        return String(decoding: tag, as: UTF8.self).lowercased()
    }

    /// Whether a value that stands at the same name and type is in this record's place: a text of the same kind, of TLSA
    /// the same certificate, since that of its successor stands beside it (RFC 7671 §8.1), and whatever else there is of
    /// the other types, of which a name has one meaning.
    func isReplacing(_ other: String) -> Bool {
        switch type {
        case .txt: Self.tag(of: other) == tag
        case .tlsa: isSame(as: other)
        case .mx, .cname, .srv: true
        }
    }

    /// Whether its name is the domain's, or below it.
    func isWithin(_ domain: DomainName) -> Bool { name == domain.description || name.hasSuffix(".\(domain)") }

    /// Whether it is that of a DKIM key (RFC 6376 §3.6.2.1).
    var isOfKey: Bool { name.contains("._domainkey.") }

    /// Whether two values say the same, however they are written.
    func isSame(as other: String) -> Bool { Self.normalized(value, type) == Self.normalized(other, type) }

    private static func normalized(_ value: String, _ type: Kind) -> [UInt8] {
        let data = try? DNSPresentation.data(type: type.type, text: type == .txt ? value : value.lowercased())
        return data ?? Array(value.utf8)
    }
}

/// What is to happen in a zone, in one change: all of it or nothing.
struct DNSChange: Sendable, Equatable {
    let domain: DomainName
    var wanted: [DNSRecord]
    /// What was wanted once, and is to go where it still says the same.
    var unwanted: [DNSRecord] = []
    /// Nothing of it was ever written.
    var isNew = false
    /// There is more in the zone that stays as it is: without a zone it means nothing.
    var isPartial = false
    /// Whether a zone that was not made here may be written to.
    var takesZones = true

    /// The record sets it is about, by name and type.
    var sets: [(name: String, type: DNSRecord.Kind)] {
        var seen: Set<String> = []
        return (wanted + unwanted).filter { seen.insert("\($0.name) \($0.type.rawValue)").inserted }
            .map { ($0.name, $0.type) }
    }

    /// What a set is to hold, of what it holds now: what others put there stays.
    func values(name: String, type: DNSRecord.Kind, existing: [String]) -> [String] {
        let wanted = wanted.filter { $0.name == name && $0.type == type }
        let unwanted = unwanted.filter { $0.name == name && $0.type == type }
        let kept = existing.filter { value in
            !wanted.contains { $0.isReplacing(value) } && !unwanted.contains { $0.isSame(as: value) }
        }
        return kept + wanted.map(\.value)
    }
}
