import Foundation
import Glibc
import TestSupport
import Testing

/// Domains whose DNS is BIND's, which takes updates (RFC 2136) signed with a key.
@Suite(.serialized, .timeLimit(.minutes(2))) struct DynamicUpdateTests {
    let platform: Platform
    let customer: Int
    private let database = unique("xynap_bind").replacing("-", with: "_")

    init() async throws {
        platform = try Platform()
        customer = try #require(
            try await platform.hoster.post("/api/v1/customers", ["name": .string(unique("Customer"))]).json(201)["id"]
                .int)
        try #require(try await execute("CREATE DATABASE \(database) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
    }

    /// A BIND with one zone.
    private final class NameServer: Sendable {
        let folder: String
        let port: Int
        let zone: String
        static let secret = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBzZWNyZXQgb2YgdGhlIHRlc3Rz"

        init(zone: String) throws {
            self.zone = zone
            port = try freePort()
            folder = "/tmp/\(unique("named"))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try write(
                "zone",
                "$TTL 60\n@ SOA ns.\(zone). root.\(zone). 1 60 60 60 60\n@ NS ns.\(zone).\nns A 127.0.0.1\nwww A 192.0.2.1\n@ TXT \"theirs\"\n"
            )
            try write(
                "named.conf",
                """
                key "xynap-mail" { algorithm hmac-sha256; secret "\(Self.secret)"; };
                options { directory "\(folder)"; listen-on port \(port) { 127.0.0.1; }; listen-on-v6 { none; };
                  pid-file "\(folder)/pid"; session-keyfile "\(folder)/session.key"; recursion no; dnssec-validation no;
                  allow-transfer { none; }; };
                controls { };
                zone "\(zone)" { type primary; file "\(folder)/zone"; allow-update { key "xynap-mail"; }; };
                """)
        }

        private func write(_ name: String, _ text: String) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }

        func start() throws -> Outside {
            try Outside(
                URL(filePath: "/usr/sbin/named"), ["-g", "-c", "\(folder)/named.conf", "-n", "1"], showsErrors: true)
        }

        func dig(_ type: String, _ name: String) async throws -> [String] {
            let dig = try Outside(
                URL(filePath: "/usr/bin/dig"),
                ["@127.0.0.1", "-p", "\(port)", "+norecurse", "+short", "+time=1", "+tries=1", type, name])
            return await dig.text().filter { !$0.hasPrefix(";") }.map { $0.replacing("\" \"", with: "").trimming("\"") }
                .sorted()
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// An admin-api with a database of its own: nobody else's then writes the records of these domains.
    private func service(
        _ server: NameServer, key: String = NameServer.secret, _ more: [String: String] = [:]
    ) async throws -> (service: OwnService, hoster: Client) {
        let service = try await OwnService(
            "admin-api", of: platform,
            settings: [
                "DNS_PUBLISHER": "rfc2136", "DNS_UPDATE_SERVER": "127.0.0.1", "DNS_UPDATE_PORT": "\(server.port)",
                "DNS_UPDATE_KEY": key, "DNS_RESOLVER_PORT": "\(server.port)", "POLICY_PORT": "0",
                "DATABASE_NAME": database, "DKIM_DIRECTORY": server.folder, "MAIL_FOLDERS": server.folder,
            ].merging(more) { $1 })
        let source = platform.stack.database.name
        let newest = try await answer("SELECT MAX(version) FROM \(source).schema_migrations")
        try await eventually(within: .seconds(20), "its database is whole") {
            try await answer("SELECT MAX(version) FROM \(database).schema_migrations") == newest
        }
        try #require(
            try await execute(
                """
                INSERT IGNORE INTO \(database).service_tokens SELECT * FROM \(source).service_tokens;
                INSERT IGNORE INTO \(database).customers SELECT * FROM \(source).customers WHERE id = \(customer)
                """))
        return (service, service.client.with(.serviceToken(platform.stack.serviceToken)))
    }

    private func execute(_ statements: String) async throws -> Bool { try await client(statements).status() == 0 }

    private func answer(_ statement: String) async throws -> [String] { try await client(statement).text() }

    private func client(_ statements: String) throws -> Outside {
        let stack = platform.stack.database
        return try Outside(
            URL(filePath: "/usr/bin/mariadb"),
            ["--no-defaults", "-N", "-u", stack.user, "-S", stack.socket, "-e", statements],
            environment: ["MYSQL_PWD": stack.password])
    }

    private func create(_ hoster: Client, _ name: String) async throws -> JSON {
        try await hoster.post("/api/v1/mail/domains", ["domain": .string(name), "customer_id": .int(customer)]).json(
            201)
    }

    @Test func recordsComeRotateAndGo() async throws {
        let zone = unique("bind") + ".test"
        let server = try NameServer(zone: zone)
        let process = try server.start()
        defer { process.terminate() }
        try await eventually(within: .seconds(10), "BIND answers") {
            try await server.dig("A", "www.\(zone)") == ["192.0.2.1"]
        }
        let (service, hoster) = try await service(server)
        defer { service.stop() }
        let made = try await create(hoster, zone)
        #expect(made["dns"]["status"] == "ok", "\(made["dns"])")
        let route = "/api/v1/mail/domains/\(made["id"].int ?? 0)"
        let report = try await hoster.get(route + "/dns").json(200)
        #expect(report["agrees"] == true, "\(report)")
        #expect(try await server.dig("TXT", zone) == ["theirs", "v=spf1 ip4:127.0.0.1 -all"])
        #expect(try await server.dig("TXT", "mail._domainkey.\(zone)").first?.contains("k=rsa") == true)
        #expect(try await hoster.post(route + "/dkim/rotate").status == 202)
        try await eventually(within: .seconds(10), "the new keys sign") {
            let keys = try await hoster.get(route + "/dkim").json(200)["keys"]
            return keys.items.filter { $0["state"] == "active" }.count == 2 && keys[0]["state"] == "retired"
        }
        #expect(try await hoster.delete(route + "?purge=true").status == 204)
        #expect(try await server.dig("MX", zone) == [])
        #expect(try await server.dig("TXT", zone) == ["theirs"])
        #expect(try await server.dig("A", "www.\(zone)") == ["192.0.2.1"])
    }

    /// TLSA records are the mail host's, whose zone is nobody's domain here: they are told and looked for, not written.
    @Test func theMailHostsCertificateIsLookedFor() async throws {
        let zone = unique("bind") + ".test", value = "3 1 1 " + String(repeating: "0a", count: 32)
        let server = try NameServer(zone: zone)
        let process = try server.start()
        defer { process.terminate() }
        try await eventually(within: .seconds(10), "BIND answers") {
            try await server.dig("A", "www.\(zone)") == ["192.0.2.1"]
        }
        let (service, hoster) = try await service(server, ["DNS_MX_HOST": "www.\(zone)", "DNS_TLSA": value])
        defer { service.stop() }
        let made = try await create(hoster, "below.\(zone)")
        let wanted = made["records"].items.last
        #expect(made["dns"]["status"] == "ok", "\(made["dns"])")
        #expect(wanted?["name"].string == "_25._tcp.www.\(zone)" && wanted?["value"].string == value)
        let route = "/api/v1/mail/domains/\(made["id"].int ?? 0)/dns"
        let report = try await hoster.get(route).json(200)
        #expect(report["agrees"] == false && report["records"].items.last?["status"] == "missing", "\(report)")
        let update = try Outside(
            URL(filePath: "/usr/bin/nsupdate"), ["-y", "hmac-sha256:xynap-mail:\(NameServer.secret)"],
            input: Data("server 127.0.0.1 \(server.port)\nadd _25._tcp.www.\(zone) 60 TLSA \(value)\nsend\n".utf8))
        #expect(await update.status() == 0)
        let agreed = try await hoster.get(route).json(200)
        #expect(agreed["agrees"] == true, "\(agreed)")
    }

    @Test func whatTheServerDoesNotDoIsTold() async throws {
        let zone = unique("bind") + ".test"
        let server = try NameServer(zone: zone)
        let (service, hoster) = try await service(server)
        defer { service.stop() }
        // Nobody listens yet: the domain is there, and its records come by themselves.
        let made = try await create(hoster, zone)
        #expect(made["dns"]["status"] == "pending", "\(made["dns"])")
        let process = try server.start()
        defer { process.terminate() }
        try await eventually(within: .seconds(15), "the records are written") {
            try await server.dig("MX", zone).count == 1
        }
        let elsewhere = try await create(hoster, unique("nozone") + ".test")
        #expect(elsewhere["dns"]["status"] == "failed" && elsewhere["dns"]["detail"].string?.isEmpty == false)
        let (impostor, liar) = try await self.service(server, key: "d3Jvbmc=")
        defer { impostor.stop() }
        let below = try await create(liar, "below.\(zone)")
        #expect(
            below["dns"]["status"] == "failed" && below["dns"]["detail"].string?.contains("key") == true,
            "\(below["dns"])")
    }
}
