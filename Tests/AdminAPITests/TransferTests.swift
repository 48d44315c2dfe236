import MailModel
import Storage
import Testing

@testable import AdminAPI

@Suite struct TransferTests {
    @Test func tablesAreReadAsSpreadsheetsWriteThem() {
        let text = "\u{feff}a,b\r\n\"x, y\",\"say \"\"hi\"\"\"\r\n\r\n\"two\nlines\",\nlast"
        let rows = CSV.parse(Array(text.utf8))
        #expect(rows.map(\.cells) == [["a", "b"], ["x, y", "say \"hi\""], ["two\nlines", ""], ["last"]])
        #expect(rows.map(\.line) == [1, 2, 4, 6])
    }

    @Test(arguments: [["plain", "a,b", "q\"q", "two\r\nlines", " lead"], ["", "=1+1"]])
    func whatIsWrittenIsReadBack(cells: [String]) {
        #expect(CSV.parse(Array(CSV.line(cells).utf8)).map(\.cells) == [cells])
    }

    private func row(_ cells: String) -> ImportRow {
        ImportRow(
            .init(line: 7, cells: cells.split(separator: ",", omittingEmptySubsequences: false).map(String.init)),
            head: ImportRow.columns)
    }

    @Test func rowsBecomeMailboxesAndAliases() throws {
        guard
            case .account(let draft, let domain, let password) = try row("Ann@Example.com,long enough,,5,Ann,9,").work()
        else { throw Failure.notFound("The mailbox") }
        #expect(draft == .init(localPart: "ann", passwordHash: "", quotaMB: 5, displayName: "Ann", sendLimit: 9))
        #expect(domain.description == "example.com" && password == "long enough")
        guard case .alias(let alias, _) = try row("*@example.com,,,,,,a@b.test c@d.test").work() else {
            throw Failure.notFound("The alias")
        }
        #expect(alias.source == "*" && alias.destinations.map(\.description) == ["a@b.test", "c@d.test"])
        guard case .account(let old, _, nil) = try row("a@b.test,,{SSHA256}abc,,,,").work() else {
            throw Failure.notFound("The mailbox")
        }
        #expect(old.passwordHash == "{SSHA256}abc")
    }

    @Test func whatIsThereNeedsNoPassword() throws {
        let bare = try row("a@b.test,,,5,,,").work()
        #expect(!bare.isComplete && bare.address == "a@b.test")
        #expect(try row("a@b.test,long enough,,,,,").work().isComplete)
        #expect(try row("a@b.test,,{SSHA256}abc,,,,").work().isComplete)
        guard case .alias(let alias, _) = try row("x@b.test,,,,,,a@b.test,false").work() else {
            throw Failure.notFound("The alias")
        }
        #expect(!alias.sendAs)
    }

    @Test(arguments: [
        ("nobody,long enough,,,,,", "email"), ("a@b.test,short,,,,,", "password"),
        ("a@b.test,,{PLAIN}x,,,,", "password_hash"), ("a@b.test,long enough,,0,,,", "quota_mb"),
        ("a@b.test,long enough,,many,,,", "quota_mb"), ("a@b.test,long enough,,,,-1,", "send_limit"),
        ("a@b.test,long enough,{SSHA256}x,,,,", "password"), ("a@b.test,,,,,,nobody", "destination"),
        ("a+b@c.test,,,,,,x@y.test", "source"),
        ("x@b.test,,,,,,a@b.test,perhaps", "send_as"),
    ])
    func everyFaultNamesItsField(cells: String, field: String) {
        do {
            _ = try row(cells).work()
            Issue.record("\(cells) was taken")
        } catch { #expect((error as? Failure)?.fields.map(\.name) == [field], "\(error)") }
    }
}
