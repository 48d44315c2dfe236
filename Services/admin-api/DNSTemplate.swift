import Crypto
import DNS
import FoundationEssentials
import MailModel
import Storage

/// The values that a hoster's records share; the domain and its keys fill in the rest.
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
    /// What SRV records tell of (RFC 6186, RFC 8314 §5.1): label, host, port; none where there are none.
    var services: [(label: String, host: String, port: Int)] = []
    /// What other servers are to hold us to (RFC 8461); nil for no MTA-STS.
    var mtaSTS: MTASTSPolicy?
    /// Where reports on TLS go (RFC 8460 §3), a `mailto:` or `https:` URI; nil for none.
    var tlsReports: String?
    /// What the certificate of the host that receives mail is checked against (RFC 7672 §3.1), as TLSA values.
    var tlsa: [String] = []
    /// The SHA-256 of the file that PACC has programs fetch; nil for no PACC.
    var userAgentConfigurationDigest: [UInt8]?

    /// The records of a domain: MX, SPF, DMARC, one for each DKIM key, autoconfig; and those that are configured. TLSA
    /// records are those of the host that receives mail, so they are in its zone.
    func records(for domain: DomainName, keys: [DKIMKey]) -> [DNSRecord] {
        func record(_ label: String, _ type: DNSRecord.Kind, _ value: String) -> DNSRecord {
            DNSRecord(name: label.isEmpty ? "\(domain)" : "\(label).\(domain)", type: type, value: value, ttl: 3600)
        }
        func filled(_ text: String) -> String { text.replacing("{domain}", with: "\(domain)") }
        var records = [
            record("", .mx, "\(mxPriority) \(mxHost)."),
            record("", .txt, Self.quoted(filled(spf))),
            record("_dmarc", .txt, Self.quoted(filled(dmarc))),
        ]
        records += keys.filter { $0.state != .withdrawn }.map { key in
            record(
                "\(key.selector)._domainkey", .txt,
                Self.quoted("v=DKIM1; k=\(key.algorithm.rawValue); p=\(key.publicKey)"))
        }
        records.append(record("autoconfig", .cname, "\(autoconfigHost)."))
        if !services.isEmpty { records.append(record("autodiscover", .cname, "\(autoconfigHost).")) }
        records += services.map { record($0.label, .srv, "0 1 \($0.port) \($0.host).") }
        if let mtaSTS {
            records.append(record("_mta-sts", .txt, Self.quoted("v=STSv1; id=\(mtaSTS.id)")))
            records.append(record("mta-sts", .cname, "\(autoconfigHost)."))
        }
        if let tlsReports {
            records.append(record("_smtp._tls", .txt, Self.quoted("v=TLSRPTv1; rua=\(filled(tlsReports))")))
        }
        if let userAgentConfigurationDigest {
            let digest = Data(userAgentConfigurationDigest).base64EncodedString()
            records.append(record("ua-auto-config", .cname, "\(autoconfigHost)."))
            records.append(record("_ua-auto-config", .txt, Self.quoted("v=UAAC1; a=sha256; d=\(digest)")))
        }
        return records + tlsa.map { DNSRecord(name: "_25._tcp.\(mxHost)", type: .tlsa, value: $0, ttl: 3600) }
    }

    /// The records of keys that are to go.
    func withdrawn(for domain: DomainName, keys: [DKIMKey]) -> [DNSRecord] {
        keys.filter { $0.state == .withdrawn }.map { key in
            DNSRecord(
                name: "\(key.selector)._domainkey.\(domain)", type: .txt,
                value: Self.quoted("v=DKIM1; k=\(key.algorithm.rawValue); p=\(key.publicKey)"), ttl: 3600)
        }
    }

    /// A TXT value as character-strings of at most 255 octets (RFC 1035 §3.3, RFC 7208 §3.3).
    static func quoted(_ text: String) -> String { DNSPresentation.quoted(Array(text.utf8)) }
}

/// What other mail servers are told of our TLS (RFC 8461 §3.2).
struct MTASTSPolicy: Sendable, Equatable {
    /// `testing` or `enforce`.
    let mode: String
    let mxHost: String

    /// Seconds: a week, so that a change is known to all before two have passed.
    static let maximumAge = 604_800

    var text: String {
        "version: STSv1\r\nmode: \(mode)\r\nmx: \(mxHost)\r\nmax_age: \(Self.maximumAge)\r\n"
    }

    /// Another one for every other policy (RFC 8461 §3.1: at most 32 letters and digits).
    var id: String {
        SHA256.hash(data: Array(text.utf8)).prefix(8).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
