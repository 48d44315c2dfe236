import Foundation
import Glibc
import TestSupport
import Testing

/// Domains are made, rotated and deleted while their service is killed again and again: each is finished or undone by
/// itself, and never half a zone.
extension FaultTests {
    /// `XYNAP_KILLS=200` for the long run.
    static let kills = ProcessInfo.processInfo.environment["XYNAP_KILLS"].flatMap { Int($0) } ?? 25

    private func call(_ name: String, _ step: Int, _ admin: Client) async {
        let domain: JSON = ["domain": .string(name), "customer_id": .int(tenant.customerID)]
        do {
            let list = try await admin.get("/api/v1/mail/domains?search=\(name)").json(200)["items"]
            guard let id = list[0]["id"].int else { return _ = try await admin.post("/api/v1/mail/domains", domain) }
            switch step % 3 {
            case 0: _ = try await admin.post("/api/v1/mail/domains/\(id)/dkim/rotate")
            case 1: _ = try await admin.post("/api/v1/mail/domains/\(id)/dns/sync")
            default: _ = try await admin.delete("/api/v1/mail/domains/\(id)?purge=true")
            }
        } catch {
            // The service died under the call.
        }
    }

    @Test(.timeLimit(.minutes(20))) func domainsSurviveEveryKill() async throws {
        let names = (0..<4).map { _ in unique("killed") + ".test" }
        let launch = try Launch("admin-api", of: platform)
        try await stack.down("admin-api")
        for kill in 0..<Self.kills {
            let (process, base) = try await launch.replica(port: freePort())
            let admin = Client(base: base, credentials: platform.hoster.credentials)
            await withTaskGroup(of: Void.self) { group in
                for (index, name) in names.enumerated() { group.addTask { await call(name, kill + index, admin) } }
                try? await Task.sleep(for: .milliseconds(.random(in: 0...500)))
                _ = Glibc.kill(process.pid, SIGKILL)
            }
        }
        try await stack.up()
        // Who was killed while a domain ended has the right to that for ten seconds.
        try await Task.sleep(for: .seconds(15))
        for name in names { try await expectWhole(name) }
    }

    /// All of its records, or none.
    private func expectWhole(_ name: String) async throws {
        let found = try await platform.hoster.get("/api/v1/mail/domains?search=\(name)").json(200)["items"]
        let keys = try FileManager.default.contentsOfDirectory(atPath: platform.stack.state + "/mail/dkim")
        guard let id = found[0]["id"].int else {
            for (type, label) in [
                ("MX", ""), ("TXT", ""), ("TXT", "_dmarc."), ("CNAME", "autoconfig."), ("TXT", "mail._domainkey."),
            ] {
                #expect(try await platform.dig(type, label + name) == [], "\(label)\(name) outlived its domain")
            }
            return
        }
        try await eventually(within: .seconds(15), "\(name) agrees with the world") {
            try await platform.hoster.get("/api/v1/mail/domains/\(id)/dns").json(200)["agrees"] == true
        }
        let signing = try await platform.hoster.get("/api/v1/mail/domains/\(id)/dkim").json(200)["keys"].items
        #expect(signing.filter { $0["state"] == "active" }.count == 2, "\(signing)")
        for key in signing { #expect(keys.contains("\(name).\(key["selector"].string ?? "").key"), "\(key)") }
    }

    /// A key that PowerDNS does not take is somebody's mistake: once it is mended the records come by themselves.
    @Test func aKeyThatIsRefusedIsNoEnd() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(unique("key")).path
        try Data("wrong".utf8).write(to: URL(filePath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let own = try await OwnService(
            "admin-api", of: platform, settings: ["PDNS_API_KEY_FILE": file, "POLICY_PORT": "0"])
        defer { own.stop() }
        let name = unique("locked") + ".test"
        let made = try await own.client.with(platform.hoster.credentials).post(
            "/api/v1/mail/domains", ["domain": .string(name), "customer_id": .int(tenant.customerID)]
        ).json(201)
        #expect(made["dns"]["status"] == "pending", "\(made["dns"])")
        try await eventually(within: .seconds(10), "the records are written") {
            try await platform.dig("MX", name).count == 1
        }
    }

    @Test func purgingWaitsForTheDNS() async throws {
        let other = try await platform.newTenant()
        try stack.kill("powerdns")
        #expect(try await platform.hoster.delete("/api/v1/mail/domains/\(other.domainID)?purge=true").status == 202)
        #expect(try await platform.hoster.get("/api/v1/mail/domains/\(other.domainID)").status == 404)
        try await stack.up()
        try await eventually(within: .seconds(15), "its records are gone") {
            try await platform.dig("MX", other.domain) == []
        }
        try await eventually(within: .seconds(15), "its name is free") {
            try await platform.hoster.get("/api/v1/mail/domains?deleted=true&search=\(other.domain)").json(200)["total"]
                == 0
        }
    }
}
