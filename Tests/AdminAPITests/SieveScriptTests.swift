import MailModel
import Testing

@testable import AdminAPI

@Suite struct SieveScriptTests {
    private var rules: SieveRules {
        var rules = SieveRules()
        rules.forwarding = .init(enabled: true, destinations: ["a@b.test"], keep_copy: true)
        rules.autoreply = .init(
            enabled: true, subject: "Away \"now\"", message: "Back\nsoon \\ ${x}", from: "2026-12-24",
            until: "2027-01-02",
            interval_days: 3, addresses: ["me@b.test"])
        rules.filters = [
            .init(
                name: "Lists", match: .any,
                conditions: [.init(field: .header, header: "List-Id", op: .contains, value: "x\"; discard; \"")],
                actions: [.init(type: .move, folder: "Lists/A"), .init(type: .mark_read), .init(type: .stop)])
        ]
        return rules
    }

    @Test func theScriptBearsItsRules() throws {
        let script = SieveScript(rules, personal: "mine")
        #expect(SieveScript(parsing: try script.text) == script)
        #expect(SieveScript(parsing: "keep;") == nil)
    }

    @Test func theScriptSaysWhatTheRulesSay() throws {
        let text = try SieveScript(rules).text
        #expect(
            text.contains(#"require ["copy", "date", "fileinto", "imap4flags", "mailbox", "relational", "vacation"];"#))
        #expect(
            text.contains(
                #"if anyof(header :contains ["List-Id"] "x\"; discard; \"") { addflag "\\Seen"; fileinto :create "Lists/A";"#
            ))
        #expect(text.contains(#"redirect :copy "a@b.test";"#))
        #expect(text.contains(#"currentdate :zone "+0000" :value "ge" "date" "2026-12-24""#))
        #expect(text.contains("\"Back\r\nsoon \\\\ ${x}\";"))
    }

    @Test func whatIsOffLeavesNoTrace() throws {
        let text = try SieveScript(SieveRules()).text
        #expect(!text.contains("require") && !text.contains("redirect") && !text.contains("vacation"))
    }

    @Test func faultyRulesNameTheirField() {
        func fields(_ body: () throws -> Void) -> [String] {
            do { try body() } catch { return (error as? Failure)?.fields.map(\.name) ?? [] }
            return []
        }
        let forwarding = SieveRules.Forwarding(enabled: true, destinations: ["me@a.test"], keep_copy: true)
        #expect(fields { _ = try forwarding.checked(own: "me@a.test") } == ["destinations"])
        for (reply, field) in [
            (SieveRules.Autoreply(enabled: true, message: ""), "message"),
            (.init(enabled: true, message: "x", from: "2026-02-30"), "from"),
            (.init(enabled: true, message: "x", from: "2026-02-03", until: "2026-02-02"), "until"),
            (.init(enabled: true, message: "x", interval_days: 0), "interval_days"),
            (.init(enabled: true, subject: "a\r\nBcc: b", message: "x"), "subject"),
        ] { #expect(fields { _ = try reply.checked() } == [field]) }
        let filter = SieveRules.Filter(
            conditions: [.init(field: .header, header: "X: y", op: .is, value: "z")], actions: [.init(type: .keep)])
        #expect(fields { try filter.check("filters.0") } == ["filters.0.conditions.0.header"])
    }
}
