import Foundation
import TestSupport
import Testing

/// What happens to mail on arrival, as the API sets it and mail over port 25 shows it.
@Suite(.timeLimit(.minutes(2))) struct SieveTests {
    let platform: Platform
    let tenant: Tenant
    let alice: Mailbox
    let bob: Mailbox

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
        alice = try await tenant.newMailbox("alice")
        bob = try await tenant.newMailbox("bob")
    }

    private func deliver(_ subject: String, from sender: String = "friend@elsewhere.example") async throws {
        let outcome = try await platform.deliver(
            [plainMail(from: sender, to: alice.email, subject: subject)], from: sender, to: alice.email)
        try #require(outcome.first?["accepted"] == true, "\(outcome)")
    }

    @Test func mailIsForwarded() async throws {
        let route = alice.accountRoute("/forwarding")
        #expect(try await platform.hoster.get(route).json(200)["enabled"] == false)
        let set = try await alice.client.put(route, ["destinations": [.string(bob.email)]]).json(200)
        #expect(set == ["enabled": true, "destinations": [.string(bob.email)], "keep_copy": true])
        #expect(try await platform.hoster.get(route).json(200) == set)
        try await deliver("Forwarded")
        _ = try await bob.arrival(of: "Forwarded", within: .seconds(20))
        _ = try await alice.arrival(of: "Forwarded")
        #expect(
            try await alice.client.put(route, ["destinations": [.string(bob.email)], "keep_copy": false]).status == 200)
        try await deliver("Passed on")
        _ = try await bob.arrival(of: "Passed on", within: .seconds(20))
        #expect(try await alice.subjects() == ["Forwarded"])
        let loop = try await alice.client.put(route, ["destinations": [.string(alice.email)]])
        #expect(loop.status == 422 && loop.faultyFields == ["destinations"], "\(loop.text)")
    }

    @Test func changesAreRecordedWithBeforeAndAfter() async throws {
        let route = alice.accountRoute("/forwarding")
        _ = try await alice.client.put(route, ["destinations": [.string(bob.email)]]).json(200)
        let audit = "/api/v1/mail/audit?action=account.forwarding_changed&target=\(escaped(alice.email))"
        let detail = try await platform.hoster.get(audit).json(200)["items"][0]["detail"]
        #expect(detail["before.enabled"] == "false" && detail["after.enabled"] == "true", "\(detail)")
        #expect(detail["before.destinations"] == "" && detail["after.destinations"].string == bob.email)
    }

    /// By STARTTLS, with the platform's own authority; and not with a certificate that nobody vouches for.
    @Test func scriptsAreKeptUnderTLS() async throws {
        let settings = ["SIEVE_SECURITY": "starttls", "POLICY_PORT": "0", "TLS_CA_FILE": platform.stack.tlsCA]
        let own = try await OwnService("admin-api", of: platform, settings: settings)
        defer { own.stop() }
        let route = alice.accountRoute("/forwarding")
        let client = own.client.with(.serviceToken(platform.stack.serviceToken))
        let set = try await client.put(route, ["destinations": [.string(bob.email)]])
        #expect(set.status == 200, "\(set.text)")
        #expect(try await alice.client.get(route).json(200)["enabled"] == true)
        let wary = try await OwnService(
            "admin-api", of: platform,
            settings: settings.merging(["TLS_CA_FILE": "/etc/ssl/certs/ca-certificates.crt"]) { $1 })
        defer { wary.stop() }
        let refused = try await wary.client.with(.serviceToken(platform.stack.serviceToken)).get(route)
        #expect(refused.status == 503 && refused.isCleanProblem, "\(refused.text)")
    }

    /// Where Dovecot hands over what it forwards, only mailboxes of ours send, and nobody.
    @Test(arguments: [("stranger@elsewhere.example", false), ("<>", true), ("alice", true)])
    func strangersDoNotSendByTheWayOfForwards(sender: String, isTaken: Bool) async throws {
        let configuration = try String(contentsOfFile: platform.stack.state + "/etc/postfix/master.cf", encoding: .utf8)
        let service = try #require(configuration.firstMatch(of: /:(\d+) inet .*\n  -o syslog_name=postfix\/reinject/))
        let swaks = try Outside(
            URL(filePath: "/usr/bin/swaks"),
            [
                "--server", platform.stack.imapHost, "--port", String(service.1), "--helo", "dovecot", "--quit-after",
                "RCPT", "--from", sender == "alice" ? alice.email : sender, "--to", bob.email, "--hide-all",
            ])
        #expect((await swaks.status() == 0) == isTaken)
    }

    @Test func absenceIsTold() async throws {
        let carol = try await tenant.newMailbox("carol")
        let route = alice.accountRoute("/autoreply")
        let body: JSON = [
            "subject": "Away", "message": "Back on \"Monday\".\nAlice", "from": "2026-01-01", "until": "2099-12-31",
        ]
        let set = try await alice.client.put(route, body).json(200)
        #expect(set["enabled"] == true && set["message"] == body["message"])
        // Somebody within, since nothing leaves this machine.
        let sent = try await carol.submit(.password(carol.password), to: alice.email, subject: "Where are you?")
        try #require(sent["accepted"] == true, "\(sent)")
        let uid = try await carol.arrival(of: "Away", within: .seconds(20))
        let reply = try await carol.client.get(carol.message("INBOX", uid)).json(200)
        #expect(reply["plain"].string?.contains("Back on \"Monday\".") == true, "\(reply)")
        _ = try await alice.client.put(route, ["message": "x", "from": "2098-01-01"]).json(200)
        let again = try await bob.submit(.password(bob.password), to: alice.email, subject: "And now?")
        try #require(again["accepted"] == true)
        _ = try await alice.arrival(of: "And now?")
        try await Task.sleep(for: .seconds(2))
        #expect(try await bob.subjects() == [], "not yet")
        let bad = try await alice.client.put(route, ["message": "x", "until": "2026-02-30"])
        #expect(bad.status == 422 && bad.faultyFields == ["until"], "\(bad.text)")
    }

    @Test func mailIsSorted() async throws {
        let filters: JSON = [
            "filters": [
                [
                    "name": "Bills", "match": "any",
                    "conditions": [["field": "subject", "op": "contains", "value": "Invoice"]],
                    "actions": [["type": "move", "folder": "Büro/Bills"], ["type": "mark_read"], ["type": "stop"]],
                ],
                [
                    "conditions": [["field": "from", "op": "is", "value": "spam@elsewhere.example"]],
                    "actions": [["type": "discard"]],
                ],
            ]
        ]
        let route = alice.accountRoute("/filters")
        let set = try await alice.client.put(route, filters)
        #expect(set.status == 200, "\(set.text)")
        #expect(try await alice.client.get(route).json(200)["filters"].items.count == 2)
        try await deliver("Invoice 7")
        try await deliver("Buy now", from: "spam@elsewhere.example")
        try await deliver("Hello")
        _ = try await alice.arrival(of: "Hello")
        _ = try await alice.arrival(of: "Invoice 7", in: "Büro/Bills")
        #expect(try await alice.subjects() == ["Hello"])
        #expect(try await alice.messages("Büro/Bills")["items"][0]["seen"] == true)
        let bad = try await alice.client.put(
            route,
            [
                "filters": [
                    ["conditions": [["field": "size", "op": "is", "value": "1"]], "actions": [["type": "keep"]]]
                ]
            ])
        #expect(bad.status == 422 && bad.faultyFields == ["filters.0.conditions.0.op"], "\(bad.text)")
    }

    @Test func nobodySortsAnothersMail() async throws {
        for part in ["forwarding", "autoreply", "filters"] {
            #expect(try await bob.client.get(alice.accountRoute("/" + part)).status == 404)
            let body: JSON = part == "filters" ? ["filters": []] : ["enabled": false]
            #expect(try await bob.client.put(alice.accountRoute("/" + part), body).status == 404)
        }
        try #require(try await platform.hoster.post(alice.accountRoute("/suspend")).status == 200)
        #expect(try await platform.hoster.get(alice.accountRoute("/filters")).status == 409)
    }
}
