import MailModel

/// The values that a hoster's records share; the domain and its key fill in the rest.
struct DNSTemplate: Sendable {
    /// The host that receives mail, absolute without the trailing dot.
    let mxHost: String
    let mxPriority: Int
    /// The whole SPF record (RFC 7208 §4.5).
    let spf: String
    /// The whole DMARC record (RFC 7489 §6.3); `{domain}` stands for the domain.
    let dmarc: String
    /// The host that answers autoconfig requests.
    let autoconfigHost: String
}

/// One record set that a mail domain wants in the DNS.
struct DNSRecord: Sendable, Equatable, Codable {
    enum Kind: String, Sendable, Codable {
        case mx = "MX"
        case txt = "TXT"
        case cname = "CNAME"
    }

    /// Absolute, without the trailing dot.
    let name: String
    let type: Kind
    /// In presentation format (RFC 1035 §5.1), host names absolute with the trailing dot, TXT quoted.
    let value: String
    /// Seconds.
    let ttl: Int
}

extension DNSTemplate {
    /// The records of a domain: MX, SPF, DMARC, DKIM and autoconfig.
    ///
    /// - Parameter dkimPublicKey: Base64 of the SubjectPublicKeyInfo (RFC 6376 §3.6.1).
    func records(for domain: DomainName, dkimSelector: String, dkimPublicKey: String) -> [DNSRecord] {
        func record(_ label: String, _ type: DNSRecord.Kind, _ value: String) -> DNSRecord {
            DNSRecord(name: label.isEmpty ? "\(domain)" : "\(label).\(domain)", type: type, value: value, ttl: 3600)
        }
        return [
            record("", .mx, "\(mxPriority) \(mxHost)."),
            record("", .txt, Self.quoted(spf)),
            record("_dmarc", .txt, Self.quoted(dmarc.replacing("{domain}", with: "\(domain)"))),
            record("\(dkimSelector)._domainkey", .txt, Self.quoted("v=DKIM1; k=rsa; p=\(dkimPublicKey)")),
            record("autoconfig", .cname, "\(autoconfigHost)."),
        ]
    }

    /// A TXT value as character-strings of at most 255 octets (RFC 1035 §3.3, RFC 7208 §3.3).
    static func quoted(_ text: String) -> String {
        var strings: [String] = []
        var rest = Array(text.utf8)[...]
        repeat {
            let escaped = rest.prefix(255).flatMap { byte -> [UInt8] in
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), byte]
                case 0x20...0x7e: [byte]
                default: Array("\\\(byte / 100)\(byte / 10 % 10)\(byte % 10)".utf8)
                }
            }
            strings.append("\"" + String(decoding: escaped, as: UTF8.self) + "\"")
            rest = rest.dropFirst(255)
        } while !rest.isEmpty
        return strings.joined(separator: " ")
    }
}
