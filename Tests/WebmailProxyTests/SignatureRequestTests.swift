import Foundation
import MailModel
import Testing

@testable import WebmailProxy

@Suite struct SignatureRequestTests {
    private func draft(_ json: String) throws -> Signature.Draft {
        try JSONDecoder().decode(SignatureRequest.self, from: Data(json.utf8)).draft()
    }

    @Test func isSafeAndHasAPlainText() throws {
        let draft = try draft(
            #"{"name":"Work","html":"<p>Ann <script>alert(1)</script><b onclick='x()'>Lee</b></p><img src='https://a.test/logo.png'>"}"#
        )
        #expect(!draft.html.contains("script") && !draft.html.contains("onclick"))
        #expect(draft.html.contains("https://a.test/logo.png"))
        #expect(draft.plain.contains("Ann Lee") && !draft.plain.contains("<"))
        #expect(try self.draft(#"{"name":"x","html":"<b>A</b>","plain":"B"}"#).plain == "B")
    }

    @Test(arguments: [
        (#"{"name":"","html":""}"#, "name"), (#"{"name":"a\nb","html":""}"#, "name"),
        (#"{"name":"a","html":"","rules":[{"match_type":"domain","match_value":"x"}]}"#, "rules.0.match_value"),
        (#"{"name":"a","html":"","rules":[{"match_type":"any"},{"match_type":"address"}]}"#, "rules.1.match_value"),
        (#"{"name":"a","html":"","rules":[{"match_type":"any","match_value":"x"}]}"#, "rules.0.match_value"),
    ])
    func namesWhatIsWrong(json: String, field: String) {
        #expect {
            try draft(json)
        } throws: {
            ($0 as? Failure)?.fields.first?.name == field
        }
    }

    @Test func rulesAreOfOneForm() throws {
        let draft = try draft(
            #"{"name":"a","html":"","rules":[{"match_type":"domain","match_value":"MÜLLER.de"},{"match_type":"address","match_value":"Ann@A.test"}]}"#
        )
        #expect(draft.rules == [.init(.domain, "xn--mller-kva.de"), .init(.address, "ann@a.test")])
    }
}
