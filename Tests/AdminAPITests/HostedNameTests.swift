import MailModel
import Testing

@testable import AdminAPI

@Suite struct HostedNameTests {
    private let names = HostedName(reserved: ["mx.example.net"])

    @Test(arguments: [
        ("Example.COM", "example.com"), ("bücher.de", "xn--bcher-kva.de"), ("bu\u{308}cher.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"), ("example.com.", "example.com"), ("例え.jp", "xn--r8jz45g.jp"),
        ("почта.рф", "xn--80a1acny.xn--p1ai"),
    ])
    func goodNamesAreKeptAsALabels(name: String, kept: String) throws {
        #expect(try names.check(name).description == kept)
    }

    @Test(arguments: [
        "", ".", "com", "-a.com", "a-.com", "a..com", "a.com..", "ex ample.com", "example.com\r\nX: y", "../etc.com",
        "a/b.com", "*.com", "a@b.com", "example.com\0", "1.2.3.4", "[1.2.3.4]", "ab--cd.com", "xn--.com", "xn--a.com",
        "xn--bcher-kva9999999999.de", String(repeating: "a", count: 64) + ".com",
        String(repeating: "a.", count: 130) + "com", String(repeating: "é", count: 60) + ".com",
    ])
    func namesThatAreNoneAreRefused(name: String) { expect(name, ["invalid_domain"]) }

    @Test(arguments: ["localhost.localdomain", "a.local", "b.invalid", "c.onion", "1.168.192.in-addr.arpa"])
    func namesThatAreNobodysAreRefused(name: String) { expect(name, ["reserved"]) }

    @Test(arguments: ["mx.example.net", "example.net"])
    func thePlatformsOwnNamesAreRefused(name: String) { expect(name, ["reserved"]) }

    @Test(arguments: ["pаypal.com", "аррӏе.com", "xn--pypal-4ve.com", "gооgle.com", "νικο.com"])
    func namesThatLookLikeOthersAreRefused(name: String) { expect(name, ["confusable"]) }

    private func expect(_ name: String, _ codes: [String]) {
        do {
            let kept = try names.check(name)
            Issue.record("\(name.debugDescription) was taken as \(kept)")
        } catch let failure as Failure {
            #expect(failure.fields.map(\.name) == ["domain"] && failure.fields.map(\.code) == codes, "\(failure)")
        } catch { Issue.record("\(error)") }
    }
}
