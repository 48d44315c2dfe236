import Crypto
import DNS
import FoundationEssentials
import HTTPService
import Platform

/// What admin-api can be told from outside.
struct AdminSettings: ServiceSettings {
    let platform: PlatformSettings
    let jwksURL: String
    let authURL: String
    let serviceToken: String?
    let dns: DNSSettings
    let clients: ClientSettings
    let reservedNames: [String]
    let dkimDirectory: String
    let dkimSelector: String
    let dkimRetention: Duration
    let mailFolders: String
    let grace: Duration
    let hashingThreads: Int
    let sieveHost: String
    let sievePort: Int
    let sieveUsesTLS: Bool
    /// nil for the system's.
    let certificateAuthorityFile: String?
    let policyPort: Int
    let sendLimit: Int

    init(_ read: SettingsReader) {
        platform = PlatformSettings(read)
        jwksURL = read.string(
            "jwks.url", default: "http://127.0.0.1:8081/.well-known/jwks.json",
            "Where auth-server shows its public keys")
        authURL = read.string("auth.url", default: "http://127.0.0.1:8081", "Base URL of auth-server")
        serviceToken = read.optionalSecret(
            "service.token",
            "Service token with the scope auth:mail-token, to keep the Sieve scripts of mailboxes; without it there is no "
                + "forwarding, autoreply and filters")
        clients = ClientSettings(read, issuer: platform.issuer)
        dns = DNSSettings(read, clients)
        reservedNames =
            (read.list("domains.reserved", "Names that nobody may host, beside those of the mail hosts")
            + [dns.template.mxHost, dns.template.autoconfigHost, clients.imapHost, clients.smtpHost]).map {
                $0.lowercased()
            }
        dkimDirectory = read.string(
            "dkim.directory", default: "/var/lib/xynap/mail/dkim", "Folder of the DKIM keys, shared with Rspamd")
        let selector = read.string("dkim.selector", default: "mail", "Selector of new DKIM keys")
        dkimSelector =
            Self.isSelector(selector)
            ? selector
            : read.refuse("dkim.selector", "must be 1 to 60 letters, digits and inner hyphens", "mail")
        dkimRetention = read.duration(
            "dkim.retention", default: .seconds(7 * 86_400),
            "How long the record of a key that signs no more stays in the DNS")
        mailFolders = read.string(
            "mail.folders", default: "/var/lib/xynap/mail/vhosts", "Folder of the mailboxes, shared with Dovecot")
        grace = read.duration(
            "deletion.grace", default: .seconds(30 * 86_400), "How long a deleted domain or mailbox can be restored")
        hashingThreads = read.int("password.threads", default: 1, in: 1...64, "Passwords hashed at once, 64 MiB each")
        sieveHost = read.string("sieve.host", default: "127.0.0.1", "Address of Dovecot's ManageSieve")
        sievePort = read.int("sieve.port", default: 4190, in: 1...65_535, "Port of it")
        sieveUsesTLS =
            read.choice(
                "sieve.security", of: ["plain", "starttls"], default: "plain",
                "How the connection to ManageSieve is protected") == "starttls"
        certificateAuthorityFile = read.optionalString(
            "tls.ca.file", "Certificates (PEM) that ManageSieve is verified with; else the system's")
        policyPort = read.int(
            "policy.port", default: 8092, in: 0...65_535,
            "Where Postfix asks whether a mailbox may send more; 0 for nowhere")
        sendLimit = read.int(
            "send.limit", default: 1000, in: 0...1_000_000,
            "Recipients an hour of a mailbox that has no limit of its own; 0 for no limit")
    }

    /// One label of a name in the DNS, with room for what stands behind it, and nothing that a path would mean.
    static func isSelector(_ text: String) -> Bool {
        (1...60).contains(text.utf8.count) && !text.hasPrefix("-") && !text.hasSuffix("-")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// How the records of domains are written, and what they say.
struct DNSSettings: Sendable {
    let publisherName: String
    let powerDNSURL: String
    let powerDNSAPIKey: String?
    let nameservers: [String]
    let updateServer: String
    let updatePort: Int
    let updateKeyName: String
    let updateKey: String?
    let resolverHost: String
    let resolverPort: Int
    let template: DNSTemplate

    init(_ read: SettingsReader, _ clients: ClientSettings) {
        publisherName = read.choice(
            "dns.publisher", of: ["powerdns", "rfc2136", "manual"], default: "powerdns",
            "Who writes the records of domains; manual lists what to create")
        powerDNSURL = read.string("pdns.url", default: "http://127.0.0.1:8053", "HTTP API of PowerDNS")
        powerDNSAPIKey = read.optionalSecret("pdns.api.key", "Key of that API")
        nameservers = read.list(
            "dns.nameservers", default: ["ns1.example.com"], "NS records of the zones made in PowerDNS")
        updateServer = read.string("dns.update.server", default: "127.0.0.1", "Address of the primary, for rfc2136")
        updatePort = read.int("dns.update.port", default: 53, in: 1...65_535, "Port of it")
        updateKeyName = read.string("dns.update.key.name", default: "xynap-mail", "Name of the TSIG key (hmac-sha256)")
        updateKey = read.optionalSecret("dns.update.key", "That key, in Base64")
        resolverHost = read.string(
            "dns.resolver.host", default: "127.0.0.1", "Address of a resolver that sees the DNS as the world does")
        resolverPort = read.int("dns.resolver.port", default: 53, in: 1...65_535, "Port of it")
        template = Self.template(read, clients)
        if publisherName == "powerdns", powerDNSAPIKey == nil {
            _ = read.refuse("pdns.api.key", "is not set: dns.publisher is powerdns", "")
        }
        if publisherName == "rfc2136", tsigKey == nil {
            _ = read.refuse("dns.update.key", "must be a key in Base64: dns.publisher is rfc2136", "")
        }
    }

    var tsigKey: TSIGKey? { updateKey.flatMap { TSIGKey(name: updateKeyName, secret: $0) } }

    var resolver: DNSClient { DNSClient(host: resolverHost, port: resolverPort) }

    /// nil where all DNS is kept by hand.
    var publisher: (any DNSPublisher)? {
        switch publisherName {
        case "powerdns": PowerDNS(base: powerDNSURL, apiKey: powerDNSAPIKey ?? "", nameservers: nameservers)
        case "rfc2136":
            tsigKey.map { DynamicUpdate(server: DNSClient(host: updateServer, port: updatePort), key: $0) }
        default: nil
        }
    }

    private static func template(_ read: SettingsReader, _ clients: ClientSettings) -> DNSTemplate {
        var template = DNSTemplate(
            mxHost: clients.mxHost,
            mxPriority: read.int("dns.mx.priority", default: 10, in: 0...65_535, "Priority of that host"),
            spf: read.string("dns.spf", default: "v=spf1 mx -all", "The SPF record of every domain"),
            dmarc: read.string(
                "dns.dmarc", default: "v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}",
                "The DMARC record of every domain; {domain} stands for it"),
            autoconfigHost: read.string(
                "dns.autoconfig.host", "Host that answers autoconfig requests"
            ).lowercased())
        if read.bool("dns.srv", default: true, "Whether domains have SRV records (RFC 6186, RFC 8314)") {
            template.services = [
                ("_imaps._tcp", clients.imapHost, clients.imapPort),
                ("_submissions._tcp", clients.smtpHost, clients.smtpPort),
                ("_submission._tcp", clients.smtpHost, clients.submissionPort),
                ("_autodiscover._tcp", template.autoconfigHost, 443),
            ]
        }
        let mode = read.choice(
            "dns.mta.sts", of: ["none", "testing", "enforce"], default: "none", "MTA-STS policy of domains (RFC 8461)")
        template.mtaSTS = mode == "none" ? nil : MTASTSPolicy(mode: mode, mxHost: clients.mxHost)
        template.tlsReports = read.optionalString(
            "dns.tls.reports",
            "Where reports on TLS go (RFC 8460), as mailto: or https: URI; {domain} stands for the domain")
        template.tlsa = tlsa(read)
        if read.bool("dns.pacc", default: true, "Whether domains have the records of PACC (draft-ietf-mailmaint-pacc)")
        {
            template.userAgentConfigurationDigest = Array(SHA256.hash(data: clients.userAgentConfiguration))
        }
        return template
    }

    private static func tlsa(_ read: SettingsReader) -> [String] {
        let values = read.list(
            "dns.tlsa",
            "TLSA values of the host that receives mail (RFC 7672), as \"3 1 1 <SHA-256 in hex>\"; its zone "
                + "must be signed")
        let areRight = values.allSatisfy { (try? DNSPresentation.data(type: .tlsa, text: $0)) != nil }
        return areRight ? values : read.refuse("dns.tlsa", "must be values like 3 1 1 0123…", [])
    }
}

/// What mail programs are told when they ask.
struct ClientSettings: Sendable {
    /// The host that receives mail.
    let mxHost: String
    let imapHost: String
    let imapPort: Int
    let smtpHost: String
    let smtpPort: Int
    let submissionPort: Int
    /// For people.
    let name: String
    /// Public base URL of the OAuth2 server.
    let issuer: String
    /// What programs without a registration of their own call themselves.
    let oauthClientID: String

    init(_ read: SettingsReader, issuer: String) {
        mxHost = read.string("dns.mx.host", "Host that receives mail").lowercased()
        imapHost = read.string("clients.imap.host", default: mxHost, "Host of IMAP that mail programs are told")
            .lowercased()
        imapPort = read.int("clients.imap.port", default: 993, in: 1...65_535, "Port of IMAP over TLS")
        smtpHost = read.string("clients.smtp.host", default: mxHost, "Host of submission that mail programs are told")
            .lowercased()
        smtpPort = read.int("clients.smtp.port", default: 465, in: 1...65_535, "Port of submission over TLS")
        submissionPort = read.int(
            "clients.submission.port", default: 587, in: 1...65_535, "Port of submission with STARTTLS")
        name = read.string("clients.name", default: "Mail", "Name of the provider that mail programs show")
        oauthClientID = read.string(
            "clients.oauth.id", default: "thunderbird", "OAuth2 client that mail programs are told to be")
        self.issuer = issuer
    }

    /// The file of PACC, the same for every domain: its digest stands in the DNS.
    var userAgentConfiguration: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and one boolean: nothing that JSON cannot say.
        return (try? encoder.encode(UserAgentConfiguration(self))).map(Array.init) ?? []
    }
}
