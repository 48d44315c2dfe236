import Foundation
import TestSupport
import Testing

/// Dovecot and Postfix have users of their own in the database, who may do what they need and nothing else.
@Suite(.timeLimit(.minutes(1))) struct DatabaseRightsTests {
    let platform: Platform

    init() throws { platform = try Platform() }

    /// Whether the user of a mail server may run a statement.
    private func may(_ server: String, _ statement: String) async throws -> Bool {
        let secret = "\(platform.stack.state)/secrets/\(server)-database-password"
        let password = try String(contentsOfFile: secret, encoding: .utf8).trimming("\n ")
        let database = platform.stack.database
        let client = try Outside(
            URL(filePath: "/usr/bin/mariadb"),
            ["--no-defaults", "-u", "xynap_\(server)", "-S", database.socket, database.name, "-e", statement],
            environment: ["MYSQL_PWD": password], showsErrors: true)
        let text = await client.text().joined(separator: "\n")
        let status = await client.status()
        #expect(status == 0 || text.contains("denied"), "\(server): \(statement): \(text)")
        return status == 0
    }

    @Test(arguments: [
        "postfix_domains", "postfix_mailboxes", "postfix_aliases", "postfix_domain_aliases", "postfix_senders",
        "postfix_suspended", "postfix_ended",
    ])
    func postfixReadsItsViews(view: String) async throws {
        #expect(try await may("postfix", "SELECT * FROM \(view) LIMIT 1"))
        #expect(try await may("dovecot", "SELECT * FROM \(view) LIMIT 1") == false)
        #expect(try await may("postfix", "DELETE FROM \(view) WHERE FALSE") == false)
    }

    @Test func dovecotReadsItsViewAndCountsMail() async throws {
        #expect(try await may("dovecot", "SELECT * FROM dovecot_users LIMIT 1"))
        #expect(try await may("postfix", "SELECT * FROM dovecot_users LIMIT 1") == false)
        #expect(try await may("dovecot", "UPDATE dovecot_users SET password = '' WHERE FALSE") == false)
        for table in ["mailbox_usage", "mailbox_logins"] {
            #expect(try await may("dovecot", "UPDATE \(table) SET username = '' WHERE FALSE"))
            #expect(try await may("postfix", "SELECT * FROM \(table) LIMIT 1") == false)
        }
    }

    @Test(arguments: ["accounts", "domains", "dkim_keys", "service_tokens", "users", "audit_log", "outbox", "send_as"])
    func nobodyReadsATable(table: String) async throws {
        for server in ["dovecot", "postfix"] {
            #expect(try await may(server, "SELECT * FROM \(table) LIMIT 1") == false, "\(server)")
        }
    }
}
