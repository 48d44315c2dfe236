import HTTPService
import Platform

/// What admin-api can be told from outside.
struct AdminSettings: ServiceSettings {
    let platform: PlatformSettings
    let jwksURL: String
    let powerDNSURL: String
    let powerDNSAPIKey: String
    let nameservers: [String]
    let dns: DNSTemplate
    let dkimDirectory: String
    let dkimSelector: String
    let hashingThreads: Int

    init(_ read: SettingsReader) {
        platform = PlatformSettings(read)
        jwksURL = read.string(
            "jwks.url", default: "http://127.0.0.1:8081/.well-known/jwks.json",
            "Where auth-server shows its public keys")
        powerDNSURL = read.string("pdns.url", default: "http://127.0.0.1:8053", "HTTP API of PowerDNS")
        powerDNSAPIKey = read.secret("pdns.api.key", "Key of that API")
        nameservers = read.list("dns.nameservers", default: ["ns1.example.com"], "NS records of the zones made here")
        dns = DNSTemplate(
            mxHost: read.string("dns.mx.host", "Host that receives mail"),
            mxPriority: read.int("dns.mx.priority", default: 10, in: 0...65_535, "Priority of that host"),
            spf: read.string("dns.spf", default: "v=spf1 mx -all", "The SPF record of every domain"),
            dmarc: read.string(
                "dns.dmarc", default: "v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}",
                "The DMARC record of every domain; {domain} stands for it"),
            autoconfigHost: read.string("dns.autoconfig.host", "Host that answers autoconfig requests"))
        dkimDirectory = read.string(
            "dkim.directory", default: "/var/lib/xynap/mail/dkim", "Folder of the DKIM keys, shared with Rspamd")
        dkimSelector = read.string("dkim.selector", default: "mail", "Selector of new DKIM keys")
        hashingThreads = read.int("password.threads", default: 1, in: 1...64, "Passwords hashed at once, 64 MiB each")
    }
}
