import MailModel
import Storage
import Testing

@testable import AdminAPI

@Suite struct DNSRecordsTests {
    static let template = DNSTemplate(
        mxHost: "mx.example.net", mxPriority: 10, spf: "v=spf1 ip4:192.0.2.1 -all",
        dmarc: "v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}", autoconfigHost: "auto.example.net")
    static let key = DKIMKey(selector: "mail", algorithm: .rsa, publicKey: "MIIB")

    private func records(_ template: DNSTemplate = template, _ keys: [DKIMKey] = [key]) throws -> [String] {
        template.records(for: try DomainName("example.com"), keys: keys).map {
            "\($0.name) \($0.type.rawValue) \($0.value)"
        }
    }

    @Test func domainWantsFiveRecords() throws {
        #expect(
            try records() == [
                "example.com MX 10 mx.example.net.",
                #"example.com TXT "v=spf1 ip4:192.0.2.1 -all""#,
                #"_dmarc.example.com TXT "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com""#,
                #"mail._domainkey.example.com TXT "v=DKIM1; k=rsa; p=MIIB""#,
                "autoconfig.example.com CNAME auto.example.net.",
            ])
    }

    @Test func whatIsConfiguredIsAdded() throws {
        var template = Self.template
        template.services = [("_imaps._tcp", "imap.example.net", 993)]
        template.mtaSTS = MTASTSPolicy(mode: "enforce", mxHost: "mx.example.net")
        template.tlsReports = "mailto:tls@{domain}"
        template.userAgentConfigurationDigest = [0xff, 0x00, 0xfe]
        template.tlsa = ["3 1 1 0a0b"]
        let more = try records(template).dropFirst(5)
        #expect(
            Array(more) == [
                "autodiscover.example.com CNAME auto.example.net.",
                "_imaps._tcp.example.com SRV 0 1 993 imap.example.net.",
                #"_mta-sts.example.com TXT "v=STSv1; id=\#(template.mtaSTS?.id ?? "")""#,
                "mta-sts.example.com CNAME auto.example.net.",
                #"_smtp._tls.example.com TXT "v=TLSRPTv1; rua=mailto:tls@example.com""#,
                "ua-auto-config.example.com CNAME auto.example.net.",
                #"_ua-auto-config.example.com TXT "v=UAAC1; a=sha256; d=/wD+""#,
                "_25._tcp.mx.example.net TLSA 3 1 1 0a0b",
            ])
        #expect(template.mtaSTS?.id.count == 16)
        #expect(template.mtaSTS?.id != MTASTSPolicy(mode: "testing", mxHost: "mx.example.net").id)
    }

    @Test func keysThatAreWithdrawnHaveNoRecord() throws {
        let gone = DKIMKey(selector: "old", algorithm: .ed25519, publicKey: "AAAA", state: .withdrawn)
        #expect(try records(Self.template, [Self.key, gone]).count == 5)
        let withdrawn = Self.template.withdrawn(for: try DomainName("example.com"), keys: [Self.key, gone])
        #expect(withdrawn.map(\.name) == ["old._domainkey.example.com"])
    }

    @Test func whatOthersPutThereStays() throws {
        let domain = try DomainName("example.com")
        var change = DNSChange(domain: domain, wanted: Self.template.records(for: domain, keys: [Self.key]))
        let texts = [#""google-site-verification=x""#, #""v=spf1 include:old.example -all""#]
        #expect(
            change.values(name: "example.com", type: .txt, existing: texts) == [
                #""google-site-verification=x""#, #""v=spf1 ip4:192.0.2.1 -all""#,
            ])
        #expect(change.values(name: "example.com", type: .mx, existing: ["5 old.example."]) == ["10 mx.example.net."])
        change.unwanted = change.wanted
        change.wanted = []
        #expect(
            change.values(name: "example.com", type: .mx, existing: ["10 MX.example.net.", "5 theirs.example."]) == [
                "5 theirs.example."
            ])
        #expect(change.values(name: "example.com", type: .txt, existing: texts) == texts, "not what we wrote")
    }

    /// The next certificate's stands beside this one's (RFC 7671 §8.1).
    @Test func aCertificateMayHaveASuccessor() throws {
        let domain = try DomainName("example.net")
        var template = Self.template
        template.tlsa = ["3 1 1 0a0b"]
        let records = template.records(for: domain, keys: []).filter { $0.type == .tlsa }
        #expect(records.map { $0.isWithin(domain) } == [true])
        #expect(try records.map { $0.isWithin(try DomainName("ample.net")) } == [false])
        let change = DNSChange(domain: domain, wanted: records)
        let name = "_25._tcp.mx.example.net"
        #expect(
            change.values(name: name, type: .tlsa, existing: ["3 1 1 FFFF", "3 1 1 0A0B"]) == [
                "3 1 1 FFFF", "3 1 1 0a0b",
            ])
        #expect(DNSReport.verdict(records[0], ["3 1 1 FFFF", "3 1 1 0A0B"]).0 == .ok)
        #expect(DNSReport.verdict(records[0], ["3 1 1 FFFF"]).0 == .missing)
    }

    @Test func everyFaultHasItsSentence() throws {
        let records = Self.template.records(for: try DomainName("example.com"), keys: [Self.key])
        let mx = records[0], spf = records[1]
        #expect(DNSReport.verdict(mx, ["10 mx.example.net."]) == (.ok, "As it should be."))
        #expect(DNSReport.verdict(mx, []).0 == .missing)
        #expect(DNSReport.verdict(mx, ["10 other.example."]).0 == .different)
        #expect(DNSReport.verdict(mx, ["10 mx.example.net.", "20 other.example."]).1.contains("other.example"))
        #expect(DNSReport.verdict(spf, [#""something else""#]).0 == .missing)
        #expect(DNSReport.verdict(spf, [spf.value, #""v=spf1 -all""#]).1.contains("two of a kind"))
        #expect(DNSReport.verdict(spf, [spf.value, #""something else""#]).0 == .ok)
    }

    @Test func textCannotLeaveItsQuotes() {
        #expect(DNSTemplate.quoted(#"a"b\c"# + "\n") == #""a\"b\\c\010""#)
    }
}
