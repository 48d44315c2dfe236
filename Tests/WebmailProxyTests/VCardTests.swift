import MailModel
import Testing

@testable import WebmailProxy

@Suite struct VCardTests {
    private func file(_ text: String) -> VCardFile { VCardFile(Array(text.replacing("\n", with: "\r\n").utf8)) }

    private func contact(
        _ name: String, _ emails: [String], phones: [String] = [], organisation: String = "", note: String = ""
    ) throws -> Contact.Draft {
        Contact.Draft(
            name: name, emails: try emails.map { try EmailAddress($0) }, phones: phones, organisation: organisation,
            note: note)
    }

    @Test func readsAllThreeVersions() throws {
        let file = file(
            """
            BEGIN:VCARD
            VERSION:4.0
            FN:Ann Lee
            N:Lee;Ann;;;
            EMAIL;PREF=2:ann@home.test
            item1.EMAIL;TYPE="work,x:y";PREF=1:Ann@Work.test
            TEL;VALUE=uri:tel:+49-30-1
            ORG:Lee\\, Sons\\; Co;Sales
            NOTE:One\\nTwo\\\\ th
             ree
            END:VCARD
            begin:vcard
            version:3.0
            N:Müller;Jörg;;Dr.;
            EMAIL;TYPE=INTERNET:j@m.test
            EMAIL;TYPE=INTERNET,PREF:joerg@m.test
            PHOTO;ENCODING=b:AAAA
             BBBB=
            END:VCARD

            BEGIN:VCARD
            VERSION:2.1
            FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=20=
            Gro=C3=9F
            EMAIL;INTERNET:jg@x.test
            NOTE;CHARSET=ISO-8859-1;QUOTED-PRINTABLE:gr=FCn=0D=0Ablau
            END:VCARD
            """)
        #expect(file.faults == [] && file.cardCount == 3)
        #expect(
            file.contacts == [
                try contact(
                    "Ann Lee", ["ann@work.test", "ann@home.test"], phones: ["+49-30-1"],
                    organisation: "Lee, Sons; Co, Sales", note: "One\nTwo\\ three"),
                try contact("Dr. Jörg Müller", ["joerg@m.test", "j@m.test"]),
                try contact("Jürgen Groß", ["jg@x.test"], note: "grün\nblau"),
            ])
    }

    @Test func listsFaultsByLineAndGoesOn() throws {
        let file = file(
            """
            X:1
            BEGIN:VCARD
            FN:Ann
            no colon
            EMAIL:not an address
            EMAIL:ann@a.test
            END:VCARD
            BEGIN:VCARD
            FN:Nobody
            END:VCARD
            BEGIN:VCARD
            EMAIL:lost@a.test
            """)
        #expect(file.contacts == [try contact("Ann", ["ann@a.test"])])
        let faults = file.faults.map { "\($0.line) \($0.code)" }
        #expect(
            faults == ["1 outside_card", "4 malformed_line", "5 invalid_address", "8 no_address", "11 unterminated"])
    }

    @Test(arguments: [
        "", "\n\n", "hello", "BEGIN:VCARD", ":", ";:", "\u{feff}BEGIN:VCARD", "BEGIN:VCARD\nBEGIN:VCARD", "=",
    ])
    func readsAnything(text: String) {
        #expect(file(text).contacts == [])
        #expect(VCardFile(Array(text.utf8) + [0, 0xff, 0x0d, 0x0a, 0x20]).contacts == [])
    }

    @Test func boundsWhatIsKept() {
        let many = (0..<30).map { "EMAIL:a\($0)@x.test\nTEL:\($0)" }.joined(separator: "\n")
        let name = String(repeating: "n", count: 5000)
        let file = file("BEGIN:VCARD\nFN:\(name)\nNOTE:\(name)\n\(many)\nEND:VCARD")
        #expect(file.contacts[0].emails.count == 20 && file.contacts[0].phones.count == 20)
        #expect(file.contacts[0].name.count == 200 && file.contacts[0].note.count == 4000)
        #expect(file.faultCount == 20 && file.faults.allSatisfy { $0.code == "too_many" })
        let broken = VCardFile(Array(String(repeating: "x\n", count: 5000).utf8))
        #expect(broken.faultCount == 5000 && broken.faults.count == 1000)
    }

    @Test func cardsThatShareAnAddressAreOne() throws {
        let file = file(
            """
            BEGIN:VCARD
            FN:Ann
            EMAIL:ann@a.test
            END:VCARD
            BEGIN:VCARD
            FN:Bob
            EMAIL:bob@a.test
            END:VCARD
            BEGIN:VCARD
            FN:Ann again
            EMAIL:ann@b.test
            EMAIL:ANN@a.test
            END:VCARD
            """)
        #expect(
            file.merged == [
                try contact("Ann", ["ann@a.test", "ann@b.test"]), try contact("Bob", ["bob@a.test"]),
            ])
    }

    private func written(_ draft: Contact.Draft) -> String {
        Contact(
            id: 1, name: draft.name, emails: draft.emails.map(\.description), phones: draft.phones,
            organisation: draft.organisation, note: draft.note, createdAt: "2026-01-02T03:04:05.678Z",
            updatedAt: "2026-01-02T03:04:05.678Z"
        ).vCard
    }

    @Test func whatIsWrittenIsReadTheSame() throws {
        let drafts = [
            try contact("Ann", ["ann@a.test"]),
            try contact(
                "Jörg; Müller, \\ \"x\":y", ["a@a.test", "b@b.test"], phones: ["+49 30 1", "2;3"],
                organisation: String(repeating: "ü", count: 150), note: "One\nTwo\n\nBEGIN:VCARD\nEND:VCARD"),
            try contact("", ["noname@a.test"], note: String(repeating: "語", count: 1000)),
        ]
        let text = drafts.map(written).joined()
        let file = VCardFile(Array(text.utf8))
        #expect(file.contacts == drafts && file.faults == [])
        #expect(text.hasPrefix("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann\r\nEMAIL:ann@a.test\r\nREV:20260102T030405Z\r\n"))
        for line in text.components(separatedBy: "\r\n") { #expect(line.utf8.count <= 75, "\(line)") }
    }

    @Test(arguments: [
        "\r\nEND:VCARD\r\nBEGIN:VCARD", "a\nb", "a\rb", "a\u{85}b", "a\u{2028}b", "\u{0}", "\u{b}", "\u{c}",
    ])
    func nothingInAValueEndsItsLine(name: String) throws {
        let card = written(try contact("x" + name, ["a@a.test"], organisation: name + "x", note: name))
        let lines = card.split(separator: "\r\n", omittingEmptySubsequences: true)
        #expect(lines.filter { $0.hasPrefix("BEGIN:") || $0.hasPrefix("END:") }.count == 2)
        for line in lines { #expect(!line.unicodeScalars.contains(where: ContactText.isControl), "\(line)") }
        #expect(VCardFile(Array(card.utf8)).contacts.count == 1)
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [Substring] { split(separator: separator) }
}
