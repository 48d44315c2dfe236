import MIME
import MailModel
import Storage
import Testing

@testable import WebmailProxy

@Suite struct CorrespondentsTests {
    private let now: Int64 = 1_790_000_000_000

    @Test func addsUpByAddress() {
        var people = Correspondents(own: ["me@a.test"])
        people.wroteTo(
            [MIMEAddress(address: "Ann@A.test"), MIMEAddress(name: "Me", address: "me@a.test")], at: now - 1000)
        people.wroteTo([MIMEAddress(name: "'Ann Lee'", address: "ann@a.test")], at: now)
        people.heardFrom(MIMEAddress(name: "ann@a.test", address: "ann@a.test"), at: now)
        people.heardFrom(MIMEAddress(name: "Bob", address: "bob@b.test"), at: now)
        people.wroteTo([MIMEAddress(name: "x", address: "no address")], at: now)
        let all = people.all
        #expect(all.map(\.address.description) == ["ann@a.test", "bob@b.test"])
        #expect(all[0].name == "Ann Lee" && all[0].wroteAt == now && all[1].wroteAt == nil)
        #expect(abs(all[0].affinity.score(at: now) - 2.25) < 1e-4 && abs(all[1].affinity.score(at: now) - 0.25) < 1e-4)
    }

    @Test func keepsMailsApartInTheOrderOfTime() {
        var people = Correspondents(own: [], addsUp: false)
        for at in [now, now - 5, now - 1] { people.wroteTo([MIMEAddress(address: "ann@a.test")], at: at) }
        #expect(people.all.map(\.wroteAt) == [now - 5, now - 1, now])
    }

    @Test(arguments: [
        "noreply@a.test", "no-reply@a.test", "No_Reply@a.test", "do-not-reply@a.test", "noreply-orders@a.test",
        "shop.noreply@a.test", "bounces+ann=b.test@a.test", "bounce@a.test", "MAILER-DAEMON@a.test",
        "postmaster@a.test",
        "list-bounces@a.test", "list-owner@a.test", "owner-list@a.test", "notifications@a.test", "prvs=1234=x@a.test",
        "list-request@a.test",
    ])
    func programsAreNobody(address: String) {
        var people = Correspondents(own: [])
        people.heardFrom(MIMEAddress(address: address), at: now)
        #expect(people.all.isEmpty)
        #expect(Correspondents.isNobody(address))
    }

    @Test(arguments: ["ann@a.test", "reply@a.test", "info@a.test", "nora.eply@a.test", "bouncer@a.test", "owen@a.test"])
    func peopleAreSomebody(address: String) { #expect(!Correspondents.isNobody(address)) }

    @Test(arguments: [
        ("List-Id", "<x.a.test>"), ("list-unsubscribe", "<https://a.test>"), ("Auto-Submitted", "auto-replied"),
        ("Precedence", "bulk"),
    ])
    func listsAreNobody(name: String, value: String) {
        var people = Correspondents(own: [])
        people.heardFrom(
            MIMEAddress(address: "ann@a.test"), at: now, headers: [MIMEHeader(name: name, value: value)])
        #expect(people.all.isEmpty)
        people.heardFrom(
            MIMEAddress(address: "ann@a.test"), at: now, headers: [MIMEHeader(name: "Auto-Submitted", value: "no")])
        #expect(people.all.count == 1)
    }
}
