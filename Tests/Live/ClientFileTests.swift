import Crypto
import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// The files that mail programs ask for, as these ask for them.
@Suite(.timeLimit(.minutes(2))) struct ClientFileTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.commonTenant()
    }

    /// A request to the host that the domain's CNAME leads here from, through the gateway; what came, and its XML as a tree.
    private func fetch(
        _ path: String, host: String, body: String? = nil
    ) async throws -> (reply: Reply, xml: JSON) {
        let reply = try await platform.stranger.send(
            body == nil ? .GET : .POST, path, bytes: body.map { Data($0.utf8) }, type: body == nil ? nil : "text/xml",
            headers: [("Host", host)])
        guard reply.headers["content-type"]?.contains("xml") == true || path.contains("mobileconfig") else {
            return (reply, .null)
        }
        let tree = try await Outside(script: "xml_tree.py", ["document": .string(reply.text)]).next()
        return (reply, tree)
    }

    /// What is wrong with it by a schema of `outside/schemas`.
    private func faults(of reply: Reply, _ schema: String) async throws -> JSON {
        let task: JSON = ["document": .string(reply.text), "schema": .string(schema)]
        return try await Outside(script: "xml_valid.py", task).next()
    }

    @Test(arguments: ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"])
    func thunderbirdIsToldOfServersAndLogins(path: String) async throws {
        let query = path + "?emailaddress=alice%40\(tenant.domain)"
        let (reply, xml) = try await fetch(query, host: "autoconfig.\(tenant.domain)")
        #expect(reply.status == 200 && reply.headers["content-type"]?.hasPrefix("text/xml") == true)
        #expect(try await faults(of: reply, "autoconfig.rng") == [])
        let provider = xml["emailProvider"][0]
        #expect(
            xml["@version"] == "1.1" && provider["@id"].string == tenant.domain
                && provider["domain"][0]["#"].string == tenant.domain)
        let imap = provider["incomingServer"][0]
        #expect(imap["@type"] == "imap" && imap["hostname"][0]["#"] == "mx.xynap.test" && imap["port"][0]["#"] == "993")
        #expect(imap["socketType"][0]["#"] == "SSL" && imap["username"][0]["#"] == "%EMAILADDRESS%")
        #expect(imap["authentication"].items.map { $0["#"] } == ["password-cleartext", "OAuth2"])
        #expect(provider["outgoingServer"].items.map { $0["port"][0]["#"] } == ["465", "587"])
        let oauth = xml["oAuth2"][0]
        let metadata = try await platform.stranger.get("/.well-known/oauth-authorization-server").json(200)
        #expect(oauth["authURL"][0]["#"] == metadata["authorization_endpoint"])
        #expect(oauth["tokenURL"][0]["#"] == metadata["token_endpoint"] && oauth["scope"][0]["#"] == "imap smtp")
    }

    /// `autoconfig.…` of a hosted domain has no certificate, so many programs come this way.
    @Test func autoconfigIsAnsweredWithoutTLSAndAllElseIsSentThere() async throws {
        let visitor = PageVisitor(platform)
        visitor.base = platform.stack.gatewayPlainURL
        visitor.extraHeaders = [("Host", "autoconfig.\(tenant.domain)")]
        try await visitor.get("/mail/config-v1.1.xml")
        #expect(visitor.status == 200 && visitor.page.contains("id=\"\(tenant.domain)\""), "\(visitor.page)")
        for path in ["/", "/autodiscover/autodiscover.xml?a=b", "/api/v1/mail/domains", "/metrics"] {
            try await visitor.get(path)
            #expect(visitor.status == 302 && visitor.location == "https://mx.xynap.test\(path)", "\(path)")
        }
    }

    @Test func aDomainChoosesWhatIsTriedFirst() async throws {
        let own = try await platform.newTenant()
        let route = "/api/v1/mail/domains/\(own.domainID)"
        #expect(
            try await platform.hoster.patch(route, ["client_login": "oauth2"]).json(200)["client_login"] == "oauth2")
        // No address: the host says which domain.
        let (_, xml) = try await fetch("/mail/config-v1.1.xml", host: "autoconfig.\(own.domain)")
        let methods = xml["emailProvider"][0]["incomingServer"][0]["authentication"].items.map { $0["#"] }
        #expect(methods == ["OAuth2", "password-cleartext"])
    }

    @Test(arguments: ["/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"])
    func outlookIsToldOfServers(path: String) async throws {
        let body = """
            <?xml version="1.0" encoding="utf-8"?>
            <Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
              <Request>
                <EMailAddress>alice@\(tenant.domain)</EMailAddress>
                <AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>
              </Request>
            </Autodiscover>
            """
        let (reply, xml) = try await fetch(path, host: "autodiscover.\(tenant.domain)", body: body)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(try await faults(of: reply, "autodiscover.rng") == [])
        let account = xml["Response"][0]["Account"][0]
        #expect(account["AccountType"][0]["#"] == "email" && account["Action"][0]["#"] == "settings")
        let protocols = account["Protocol"].items
        #expect(protocols.map { $0["Type"][0]["#"] } == ["IMAP", "SMTP"])
        #expect(
            protocols.allSatisfy {
                $0["LoginName"][0]["#"].string == "alice@\(tenant.domain)" && $0["SSL"][0]["#"] == "on"
            })
    }

    @Test(arguments: [
        "", "no xml", "<Autodiscover/>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a><EMailAddress>&e;</EMailAddress></a>",
        "<a><EMailAddress>a@b.test</EMailAddress><AcceptableResponseSchema>mobilesync</AcceptableResponseSchema></a>",
    ])
    func whatOutlookDoesNotMeanIsAnError(body: String) async throws {
        let (reply, xml) = try await fetch(
            "/autodiscover/autodiscover.xml", host: "autodiscover.\(tenant.domain)", body: body)
        #expect(
            reply.status == 200 && ["600", "601"].contains(xml["Response"][0]["Error"][0]["ErrorCode"][0]["#"].string),
            "\(reply.text)")
        #expect(!reply.text.contains("root:"))
        #expect(try await faults(of: reply, "autodiscover.rng") == [])
    }

    @Test func outlookIsToldWhereToAsk() async throws {
        let host = "autodiscover.\(tenant.domain)"
        for path in [
            "/autodiscover/autodiscover.json?Email=alice%40\(tenant.domain)&Protocol=Autodiscoverv1&RedirectCount=1",
            "/autodiscover/autodiscover.json/v1.0/alice%40\(tenant.domain)?Protocol=Autodiscoverv1",
        ] {
            let (reply, _) = try await fetch(path, host: host)
            #expect(try reply.json(200)["Url"].string == "https://\(host)/autodiscover/autodiscover.xml", "\(path)")
        }
        let (other, _) = try await fetch(
            "/autodiscover/autodiscover.json?Email=a%40\(tenant.domain)&Protocol=EWS", host: host)
        #expect(other.status == 400 && other.isCleanProblem, "\(other.text)")
    }

    @Test func appleGetsAProfile() async throws {
        let address = "o'neil&co@\(tenant.domain)"
        let (reply, plist) = try await fetch(
            "/apple.mobileconfig?email=\(escaped(address))", host: "autoconfig.\(tenant.domain)")
        #expect(
            reply.status == 200 && reply.headers["content-type"]?.hasPrefix("application/x-apple-aspen-config") == true)
        let payload = plist["PayloadContent"][0]
        #expect(
            plist["PayloadType"] == "Configuration" && payload["PayloadType"] == "com.apple.mail.managed", "\(plist)")
        #expect(payload["EmailAddress"].string == address && payload["IncomingMailServerPortNumber"] == 993)
        #expect(payload["OutgoingMailServerUseSSL"] == true && payload["IncomingMailServerHostName"] == "mx.xynap.test")
        let again = try await fetch(
            "/apple.mobileconfig?email=\(escaped(address))", host: "autoconfig.\(tenant.domain)"
        ).xml
        #expect(again == plist, "installed again, it takes the first one's place")
    }

    @Test func serversAreToldOfOurTLS() async throws {
        let (reply, _) = try await fetch("/.well-known/mta-sts.txt", host: "mta-sts.\(tenant.domain)")
        #expect(reply.status == 200 && reply.headers["content-type"]?.hasPrefix("text/plain") == true)
        #expect(reply.text == "version: STSv1\r\nmode: testing\r\nmx: mx.xynap.test\r\nmax_age: 604800\r\n")
        #expect(try await platform.dig("TXT", "_mta-sts.\(tenant.domain)").first?.hasPrefix("v=STSv1; id=") == true)
        #expect(try await platform.dig("SRV", "_imaps._tcp.\(tenant.domain)") == ["0 1 993 mx.xynap.test."])
        #expect(
            try await platform.dig("TXT", "_smtp._tls.\(tenant.domain)") == ["v=TLSRPTv1; rua=mailto:tls@xynap.test"])
    }

    @Test func paccIsServed() async throws {
        let (reply, _) = try await fetch(
            "/.well-known/user-agent-configuration.json", host: "ua-auto-config.\(tenant.domain)")
        let configuration = try reply.json(200)
        #expect(configuration["protocols"]["imap"]["host"] == "mx.xynap.test", "\(reply.text)")
        #expect(configuration["authentication"]["oauth-public"]["issuer"].string == platform.stack.gatewayURL)
        #expect(try await platform.dig("CNAME", "ua-auto-config.\(tenant.domain)") == ["mx.xynap.test."])
        let digest = Data(SHA256.hash(data: Data(reply.text.utf8))).base64EncodedString()
        #expect(
            try await platform.dig("TXT", "_ua-auto-config.\(tenant.domain)") == ["v=UAAC1; a=sha256; d=\(digest)"])
    }

    @Test func whoIsNotHostedHereGetsNothing() async throws {
        for path in [
            "/mail/config-v1.1.xml?emailaddress=a%40elsewhere.example", "/mail/config-v1.1.xml",
            "/.well-known/mta-sts.txt",
            "/apple.mobileconfig?email=a%40elsewhere.example", "/.well-known/user-agent-configuration.json",
        ] {
            let reply = try await platform.stranger.send(
                .GET, path, headers: [("Host", "autoconfig.elsewhere.example")])
            #expect(reply.status == 404 && reply.isCleanProblem, "\(path): \(reply.text)")
        }
    }
}
