import MailModel
import Testing

@Suite struct SignatureTests {
    private static let choices = [
        SignatureChoice(id: 1, isDefault: true, rules: []),
        SignatureChoice(id: 2, isDefault: false, rules: [.init(.any)]),
        SignatureChoice(
            id: 3, isDefault: false, rules: [.init(.domain, "example.com"), .init(.domain, "example.org")]),
        SignatureChoice(id: 4, isDefault: false, rules: [.init(.domain, "mail.example.com")]),
        SignatureChoice(id: 5, isDefault: false, rules: [.init(.address, "ann@mail.example.com")]),
        SignatureChoice(id: 6, isDefault: false, rules: [.init(.domain, "example.com")]),
    ]

    @Test(arguments: [
        ("ann@mail.example.com", 5), ("Ann@Mail.Example.com", 5), ("bob@mail.example.com", 4),
        ("bob@deep.mail.example.com", 4), ("bob@example.com", 3), ("bob@other.example.com", 3), ("bob@example.org", 3),
        ("bob@notexample.com", 2), ("bob@example.net", 2),
    ])
    func addressBeforeTheLongestDomainBeforeAnybody(recipient: String, expected: Int64) throws {
        for choices in [Self.choices, Self.choices.reversed()] {
            #expect(SignatureChoice.best(of: choices, for: try EmailAddress(recipient)) == expected)
        }
    }

    @Test func theDefaultIsForAllOthers() throws {
        let bob = try EmailAddress("bob@example.net")
        #expect(SignatureChoice.best(of: [Self.choices[0], Self.choices[3]], for: bob) == 1)
        #expect(SignatureChoice.best(of: [Self.choices[3]], for: bob) == nil)
        #expect(SignatureChoice.best(of: [], for: bob) == nil)
    }

    private static func signature(html: String, plain: String) -> Signature {
        Signature(
            id: 1, account: "a@example.com", .init(name: "Work", html: html, plain: plain), createdAt: "", updatedAt: ""
        )
    }

    @Test func standsAtTheEndOfATextBelowItsMark() {
        let signature = Self.signature(html: "<b>Ann</b>", plain: "Ann")
        let both = signature.appended(toHTML: "<p>Hi</p>", plain: "Hi")
        #expect(both.html == "<p>Hi</p><br><div><b>Ann</b></div>")
        #expect(both.plain == "Hi\n-- \nAnn")
        #expect(signature.appended(toHTML: nil, plain: "Hi\r\n").plain == "Hi\r\n-- \nAnn")
        #expect(signature.appended(toHTML: nil, plain: "").plain == "-- \nAnn")
        #expect(signature.appended(toHTML: nil, plain: nil).html == nil)
    }

    @Test func standsWithinTheBody() {
        let html = Self.signature(html: "Ann", plain: "").appended(
            toHTML: "<html><body><p>ü</p></BODY></html>", plain: nil
        ).html
        #expect(html == "<html><body><p>ü</p><br><div>Ann</div></BODY></html>")
    }
}

@Suite struct AffinityTests {
    private let day: Int64 = 86_400_000
    private let now: Int64 = 1_790_000_000_000

    @Test func halvesInThirtyDays() {
        let one = Affinity(weight: 1, at: now)
        #expect(abs(one.score(at: now) - 1) < 1e-6)
        #expect(abs(one.score(at: now + 30 * day) - 0.5) < 1e-6)
    }

    @Test func addsUpInAnyOrder() {
        let mails = [
            Affinity(weight: 1, at: now), Affinity(weight: 0.25, at: now - 60 * day), Affinity(weight: 1, at: now),
        ]
        let (forth, back) = (mails[0] + mails[1] + mails[2], mails[2] + mails[1] + mails[0])
        #expect(abs(forth.score(at: now) - 2.0625) < 1e-6)
        #expect(abs(forth.exponent - back.exponent) < 1e-9)
        #expect(mails[0] + Affinity(weight: 1, at: 0) >= mails[0])
    }
}
