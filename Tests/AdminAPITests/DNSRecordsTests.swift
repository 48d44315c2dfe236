import MailModel
import Testing

@testable import AdminAPI

@Suite struct DNSRecordsTests {
    let template = DNSTemplate(
        mxHost: "mx.example.net", mxPriority: 10, spf: "v=spf1 ip4:192.0.2.1 -all",
        dmarc: "v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}", autoconfigHost: "auto.example.net")

    @Test func domainWantsFiveRecords() throws {
        let records = template.records(
            for: try DomainName("example.com"), dkimSelector: "mail", dkimPublicKey: "MIIB")
        #expect(
            records.map { "\($0.name) \($0.type.rawValue) \($0.value)" } == [
                "example.com MX 10 mx.example.net.",
                #"example.com TXT "v=spf1 ip4:192.0.2.1 -all""#,
                #"_dmarc.example.com TXT "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com""#,
                #"mail._domainkey.example.com TXT "v=DKIM1; k=rsa; p=MIIB""#,
                "autoconfig.example.com CNAME auto.example.net.",
            ])
    }

    @Test func longTextIsCutIntoStringsOf255() {
        let quoted = DNSTemplate.quoted(String(repeating: "a", count: 600))
        #expect(quoted.split(separator: " ").map(\.count) == [257, 257, 92])
    }

    @Test func textCannotLeaveItsQuotes() {
        #expect(DNSTemplate.quoted(#"a"b\c"# + "\n") == #""a\"b\\c\010""#)
    }
}
