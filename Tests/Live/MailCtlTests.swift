import Foundation
import TestSupport
import Testing

/// What an operator does with domains and mailboxes at a shell.
@Suite(.timeLimit(.minutes(2))) struct MailCtlTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
    }

    private func run(_ arguments: String...) async throws -> (status: Int32, text: String) {
        try await Launch("admin-api", of: platform).output(["mailctl"] + arguments)
    }

    private func json(_ arguments: String...) async throws -> JSON {
        let (_, text) = try await Launch("admin-api", of: platform).output(
            ["mailctl"] + arguments + ["--json"], showsErrors: false)
        return try JSON(parsing: Data(text.utf8))
    }

    @Test func domainsAreListedMadeAndChecked() async throws {
        let listed = try await json("domains", "--customer", "\(tenant.customerID)")
        #expect(listed.items.map { $0["domain"].string } == [tenant.domain] && listed[0]["dns"] == "ok")
        let name = unique("shell") + ".test"
        let made = try await run("create-domain", name, "--customer", "\(tenant.customerID)")
        #expect(made.status == 0 && made.text.contains("_dmarc.\(name)"), "\(made.text)")
        let checked = try await run("dns", name)
        #expect(
            checked.status == 0 && checked.text.contains("NAME") && checked.text.contains("As it should be."),
            "\(checked.text)")
        let rotated = try await run("rotate-dkim", name)
        #expect(rotated.status == 0 && rotated.text.contains("ed25519"), "\(rotated.text)")
        let again = try await run("create-domain", name, "--customer", "\(tenant.customerID)")
        #expect(again.status != 0 && again.text.contains("hosted here already"), "\(again.text)")
        let audit = "/api/v1/mail/audit?action=domain.created&target=\(name)"
        #expect(try await platform.hoster.get(audit).json(200)["items"][0]["actor"] == "command")
        for bad in [["dns", "nobody.test"], ["dns"], ["create-domain", "x y", "--customer", "1"], ["fly"]] {
            let outcome = try await Launch("admin-api", of: platform).output(["mailctl"] + bad)
            #expect(outcome.status != 0, "\(bad)")
        }
    }

    @Test func aSuspensionAtTheShellCountsEverywhere() async throws {
        let token = try await alice.mailToken()
        let suspended = try await json("suspend", alice.email)
        #expect(suspended[0]["status"] == "suspended")
        try await eventually(within: .seconds(2), "the token is dead") {
            try await platform.introspect(token).json == ["active": false]
        }
        #expect(try await run("unsuspend", alice.email).status == 0)
        #expect(try await alice.canLogInToIMAP(.password(alice.password)))
        #expect(try await run("suspend-domain", tenant.domain).status == 0)
        #expect(try await alice.canLogInToIMAP(.password(alice.password)) == false)
        #expect(try await run("unsuspend-domain", tenant.domain).status == 0)
        #expect(try await json("accounts", tenant.domain)[0]["email"].string == alice.email)
    }
}
