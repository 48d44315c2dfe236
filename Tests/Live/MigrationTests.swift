import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// `docs/migrating.md`, as printed: its SQL runs on the tables of the old server, and what it prints can be imported.
@Suite(.timeLimit(.minutes(2))) struct MigrationTests {
    /// Of "old password".
    static let blowfish = "{BLF-CRYPT}$2y$05$CCCCCCCCCCCCCCCCCCCCC.nGnBh/8GteDuJ8S6K/F7XMSw5Lwbb0."
    static let sha512 =
        "$6$rounds=5000$saltsalt$cjN4ginv/86Pz7FgJ8mb6sxg8SsLkypH6/NPciUM9qqHiz4BKBOwJ9W4GAAEWcIe5N.RxHJp9dx7piMTd5kgk0"

    /// mailcow's tables, as far as they are read; `@` stands for the domain.
    static let mailcow = """
        CREATE TABLE mailbox (
          username VARCHAR(255) NOT NULL PRIMARY KEY, password VARCHAR(255) NOT NULL, name VARCHAR(255),
          quota BIGINT(20) NOT NULL DEFAULT 102400, kind VARCHAR(100) NOT NULL DEFAULT '',
          active TINYINT(1) NOT NULL DEFAULT 1) CHARSET=utf8mb4;
        CREATE TABLE alias (
          id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, address VARCHAR(255) NOT NULL, goto TEXT NOT NULL,
          active TINYINT(1) NOT NULL DEFAULT 1) CHARSET=utf8mb4;
        INSERT INTO mailbox (username, password, name, quota, kind, active) VALUES
          ('ann@', '\(blowfish)', 'Jürgen "Jo" Müller, Köln', 104857600, '', 1),
          ('bob@', '\(blowfish)', NULL, 0, '', 1),
          ('room@', '', 'Room', 0, 'location', 1),
          ('gone@', '\(blowfish)', 'Gone', 1, '', 0);
        INSERT INTO alias (address, goto, active) VALUES
          ('ann@', 'ann@', 1), ('bob@', 'bob@', 1), ('room@', 'null@localhost', 1),
          ('sales@', 'ann@,bob@', 1), ('@', 'ann@', 1), ('trash@', 'null@localhost', 1), ('old@', 'ann@', 0);
        """

    /// PostfixAdmin's.
    static let postfixAdmin = """
        CREATE TABLE mailbox (
          username VARCHAR(255) NOT NULL PRIMARY KEY, password VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL,
          quota BIGINT(20) NOT NULL DEFAULT 0, active TINYINT(1) NOT NULL DEFAULT 1) CHARSET=latin1;
        CREATE TABLE alias (
          address VARCHAR(255) NOT NULL PRIMARY KEY, goto TEXT NOT NULL, active TINYINT(1) NOT NULL DEFAULT 1)
          CHARSET=latin1;
        INSERT INTO mailbox (username, password, name, quota, active) VALUES
          ('ann@', '\(sha512)', 'Jürgen "Jo" Müller, Köln', 104857600, 1), ('bob@', '\(blowfish)', '', 0, 1),
          ('gone@', '\(sha512)', 'Gone', 1, 0);
        INSERT INTO alias (address, goto, active) VALUES
          ('ann@', 'ann@', 1), ('bob@', 'bob@, friend@elsewhere.example', 1), ('gone@', 'gone@', 0),
          ('sales@', 'ann@, bob@', 1), ('@', 'ann@', 1), ('old@', 'ann@', 0);
        """

    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    @Test(arguments: [
        ("From mailcow", MigrationTests.mailcow), ("From Dovecot with SQL", MigrationTests.postfixAdmin),
    ]) func whatTheDocumentReadsCanBeImported(section: String, tables: String) async throws {
        let document = try String(
            contentsOf: Outside.repository.appending(path: "docs/migrating.md"), encoding: .utf8)
        let part = try #require(
            document.components(separatedBy: "\n### ").first { $0.hasPrefix(section) }?
                .components(separatedBy: "\n## ").first)
        let statements = part.components(separatedBy: "```sql\n").dropFirst()
            .compactMap { $0.components(separatedBy: "```").first }.joined()
        let command = try #require(document.split(separator: "\n").first { $0.contains(" mysql --") })
        let options = command.split(separator: " ").filter { $0.hasPrefix("--") }.map(String.init)

        let server = try await PrivateServer.mariadb()
        defer { server.kill() }
        func run(_ sql: String, _ options: [String]) async throws -> [String] {
            let client = ["--no-defaults", "-uroot", "-S", server.folder + "/socket"]
            return try await Outside(
                URL(filePath: "/usr/bin/mariadb"), client + options + ["test"], input: Data(sql.utf8),
                showsErrors: true
            ).text()
        }
        let address = "@" + tenant.domain
        let filled = tables.replacing("@'", with: address + "'").replacing("@,", with: address + ",")
        #expect(try await run(filled, ["--default-character-set=utf8mb4"]) == [])
        let lines = try await run(statements, options)
        #expect(lines.count == 5, "a head, two mailboxes, two aliases: \(lines)")
        try await expectImport(lines.joined(separator: "\n"))
    }

    private func expectImport(_ table: String) async throws {
        func load(_ query: String) async throws -> Reply {
            try await platform.hoster.send(
                .POST, "/api/v1/mail/import" + query, bytes: Data(table.utf8), type: "text/csv")
        }
        let report = try await load("?dry_run=true").json(200)
        #expect(report["valid"] == 4 && report["failed"] == 0, "\(report)")
        for (created, unchanged) in [(4, 0), (0, 4)] {
            let last = try #require(try await load("").text.split(separator: "\n").last)
            let done = try JSON(parsing: Data(last.utf8))
            #expect(done["created"].int == created && done["unchanged"].int == unchanged, "\(done)")
        }

        let domain = "/api/v1/mail/domains/\(tenant.domainID)"
        let accounts = try await platform.hoster.get(domain + "/accounts").json(200)["items"].items
        let ann = try #require(accounts.first { $0["email"].string == "ann@" + tenant.domain })
        #expect(ann["display_name"] == #"Jürgen "Jo" Müller, Köln"# && ann["quota_mb"] == 100)
        let aliases = try await platform.hoster.get(domain + "/aliases").json(200)["items"].items
        let destinations = Dictionary(
            uniqueKeysWithValues: aliases.map { ($0["source"].string ?? "", $0["destination"].strings) })
        #expect(
            destinations == [
                "sales": ["ann@" + tenant.domain, "bob@" + tenant.domain], "*": ["ann@" + tenant.domain],
            ])
        for name in ["ann", "bob"] {
            let mailbox = Mailbox(
                platform: platform, id: 0, email: name + "@" + tenant.domain, password: "old password",
                client: platform.stranger)
            #expect(try await mailbox.canLogInToIMAP(.password("old password")), "\(name) with the old password")
        }
    }
}
