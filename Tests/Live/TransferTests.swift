import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

/// Many mailboxes at once, in and out.
@Suite(.timeLimit(.minutes(3))) struct TransferTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    private func load(
        _ text: String, _ query: String = "", as client: Client? = nil, type: String = "text/csv"
    ) async throws -> Reply {
        try await (client ?? platform.hoster).send(
            .POST, "/api/v1/mail/import" + query, bytes: Data(text.utf8), type: type)
    }

    private func lines(_ reply: Reply) throws -> [JSON] {
        try reply.text.split(separator: "\n").map { try JSON(parsing: Data($0.utf8)) }
    }

    private var table: String {
        """
        email,password,quota_mb,display_name,destination
        ann@\(tenant.domain),a good password,50,"Ann, the first",
        bob@\(tenant.domain),short,50,,
        carl@\(tenant.domain),a good password,0,,
        dora@elsewhere.test,a good password,,,
        sales@\(tenant.domain),,,,ann@\(tenant.domain) x@y.test
        ann@\(tenant.domain),a good password,,,
        """
    }

    @Test func aDryRunTellsEveryFaultByItsLine() async throws {
        let report = try await load(table, "?dry_run=true").json(200)
        #expect(report["rows"] == 6 && report["valid"] == 2 && report["failed"] == 4, "\(report)")
        let faults = report["faults"].items.map { "\($0["line"].int ?? 0) \($0["errors"][0]["field"].string ?? "")" }
        #expect(faults == ["3 password", "4 quota_mb", "5 email", "7 email"])
        let accounts = try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)/accounts").json(200)
        #expect(accounts["total"] == 0, "nothing was made")
    }

    @Test func whatIsRightIsMadeOnce() async throws {
        let first = try lines(try await load(table))
        #expect(first.count == 7 && first.last?["created"] == 2 && first.last?["failed"] == 4, "\(first)")
        #expect(first[0]["status"] == "created" || first.contains { $0["line"] == 2 && $0["status"] == "created" })
        let second = try lines(try await load(table))
        #expect(second.last?["created"] == 0 && second.last?["unchanged"] == 2, "\(second)")
        #expect(try await platform.logIn("ann@\(tenant.domain)", "a good password").status == 200)
        let domain = try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)").json(200)
        #expect(domain["accounts"] == 1 && domain["aliases"] == 1)
    }

    @Test func whatIsExportedCanBeImported() async throws {
        _ = try await load(table)
        let json = try await platform.hoster.get("/api/v1/mail/export?domain_id=\(tenant.domainID)").json(200)
        #expect(json["accounts"].items.map { $0["email"].string } == ["ann@\(tenant.domain)"])
        #expect(json["aliases"][0]["destination"] == [.string("ann@\(tenant.domain)"), "x@y.test"])
        let csv = try await platform.hoster.get("/api/v1/mail/export?domain_id=\(tenant.domainID)&format=csv")
        #expect(csv.headers["content-type"]?.hasPrefix("text/csv") == true && csv.text.contains("\"Ann, the first\""))
        #expect(!csv.text.contains("ARGON2ID") && !csv.text.contains("a good password"))
        let again = try lines(try await platform.hoster.post("/api/v1/mail/import", json))
        #expect(again.last?["unchanged"] == 2 && again.last?["failed"] == 0, "\(again)")
        let cells = try lines(try await load(csv.text))
        #expect(cells.last?["unchanged"] == 2 && cells.last?["failed"] == 0, "\(cells)")
        let alias: JSON = ["source": .string("info@\(tenant.domain)"), "destination": .string("ann@\(tenant.domain)")]
        let body: JSON = [
            "aliases": [alias],
            "accounts": [["email": .string("eve@\(tenant.domain)"), "password": "a good password"]],
        ]
        let loaded = try lines(try await platform.hoster.post("/api/v1/mail/import", body))
        #expect(loaded.last?["created"] == 2, "\(loaded)")
    }

    @Test(arguments: ["json", "csv"]) func anAliasComesBackAsItWas(format: String) async throws {
        _ = try await load(table)
        let aliases = "/api/v1/mail/domains/\(tenant.domainID)/aliases"
        let id = try await platform.hoster.get(aliases).json(200)["items"][0]["id"].int ?? 0
        let change: JSON = ["destination": .string("ann@\(tenant.domain)"), "send_as": .bool(false)]
        _ = try await platform.hoster.put("/api/v1/mail/aliases/\(id)", change).json(200)
        let export = try await platform.hoster.get("/api/v1/mail/export?domain_id=\(tenant.domainID)&format=\(format)")
        try #require(try await platform.hoster.delete("/api/v1/mail/aliases/\(id)").status == 204)
        let type = format == "csv" ? "text/csv" : "application/json"
        let done = try lines(try await load(export.text, type: type))
        #expect(done.last?["created"] == 1 && done.last?["unchanged"] == 1 && done.last?["failed"] == 0, "\(done)")
        #expect(try await platform.hoster.get(aliases).json(200)["items"][0]["send_as"] == false)
    }

    @Test func oldPasswordsComeAlong() async throws {
        // {SSHA256} of "old password" with the salt "salt".
        let python =
            "import base64,hashlib;print(base64.b64encode(hashlib.sha256(b'old passwordsalt').digest()+b'salt').decode())"
        let hash = try await Outside(URL(filePath: "/usr/bin/python3"), ["-c", python]).line()
        let text = "email,password_hash\nold@\(tenant.domain),{SSHA256}\(hash)\nbad@\(tenant.domain),{PLAIN}x\n"
        let done = try lines(try await load(text))
        #expect(done.last?["created"] == 1 && done.last?["failed"] == 1, "\(done)")
        let proof = Mailbox.Proof.password("old password")
        let old = Mailbox(
            platform: platform, id: 0, email: "old@\(tenant.domain)", password: "old password",
            client: platform.stranger)
        #expect(try await old.canLogInToIMAP(proof))
    }

    @Test func eachIsBoundToWhatIsTheirs() async throws {
        let other = try await platform.newTenant()
        let admin = try await other.newUser("admin").client
        let stolen = try lines(try await load(table, as: admin))
        #expect(stolen.last?["created"] == 0 && stolen.last?["failed"] == 6, "\(stolen)")
        #expect(try await admin.get("/api/v1/mail/export?domain_id=\(tenant.domainID)").status == 404)
        _ = try await load(table)
        #expect(try await admin.get("/api/v1/mail/export").json(200)["accounts"] == [])
        #expect(try await admin.get("/api/v1/mail/export?customer_id=\(tenant.customerID)").json(200)["accounts"] == [])
        #expect(try await other.newUser("member").client.get("/api/v1/mail/export").status == 403)
    }

    @Test(arguments: ["", "name,size\na,b\n", "email,color\na@b.test,red\n", "\u{ff}\u{fe}"])
    func whatIsNoTableIsRefused(text: String) async throws {
        let reply = try await load(text)
        #expect([400, 422].contains(reply.status) && reply.isCleanProblem, "\(reply.text)")
    }

    @Test func tenThousandTellHowFarTheyAre() async throws {
        let hash = "{SSHA256}" + String(repeating: "A", count: 44)
        let count = 10_000
        var text = "email,password_hash,quota_mb\n"
        for number in 0..<count { text += "m\(number)@\(tenant.domain),\(hash),10\n" }
        var request = HTTPClientRequest(url: platform.stack.adminURL + "/api/v1/mail/import")
        request.method = .POST
        request.headers.add(name: "x-service-token", value: platform.stack.serviceToken)
        request.headers.add(name: "content-type", value: "text/csv")
        request.body = .bytes(ByteBuffer(string: text))
        let begun = ContinuousClock.now
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(150))
        #expect(response.status == .ok)
        var first: Duration?, bytes = ByteBuffer()
        for try await chunk in response.body {
            first = first ?? (ContinuousClock.now - begun)
            bytes.writeImmutableBuffer(chunk)
        }
        let whole = ContinuousClock.now - begun
        let lines = String(buffer: bytes).split(separator: "\n")
        #expect(lines.count == count + 1 && lines.last?.contains("\"created\":\(count)") == true, "\(lines.last ?? "")")
        #expect(
            try #require(first) < whole / 4, "progress comes while it runs: first after \(first ?? .zero) of \(whole)")
        let list = try await platform.hoster.get("/api/v1/mail/domains/\(tenant.domainID)/accounts?per_page=1").json(
            200)
        #expect(list["total"].int == count)
    }
}
