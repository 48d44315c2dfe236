import Credentials
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MailModel
import NIOConcurrencyHelpers
import Testing

@testable import HTTPService

@Suite struct AuthenticatorTests {
    func token(
        _ keys: SigningKeys, mail: Bool = false, issued: Int64 = Timestamp.now(), jti: String = "j1"
    ) async throws -> String {
        try await keys.sign(
            mail
                ? .mailAccess(
                    issuer: "https://mail.test", subject: "user:1", jti: jti, issuedAt: issued, family: "f1",
                    email: "a@example.com")
                : .access(
                    issuer: "https://mail.test", subject: "user:1", jti: jti, issuedAt: issued, family: "f1",
                    email: "a@example.com", customerID: 7, role: "admin", accounts: ["a@example.com"]))
    }

    @Test func callersAreKnownByTheirCredentials() async throws {
        let pem = try SigningKeys.newKey().pem
        let keys = SigningKeys(issuer: "https://mail.test") { [pem] }
        try #require(await keys.keySet.refresh())
        let revocations = RevocationSet(isLoaded: true)
        let service = OpaqueToken(new: .service)
        let asked = NIOLockedValueBox(0)
        let authenticator = Authenticator(keys: keys.keySet, revocations: revocations) { hash in
            asked.withLockedValue { $0 += 1 }
            return hash == service.hash ? Caller.Platform(tokenID: 3, name: "shop", scopes: ["mail:read"]) : nil
        }
        let good = try await token(keys)
        let mail = try await token(keys, mail: true)
        let old = try await token(keys, issued: Timestamp.now() - 2_000_000)
        let dead = try await token(keys, jti: "dead")
        revocations.apply([
            Revocation(id: 1, at: Timestamp.now(), kind: .jti, value: "dead", notBefore: Timestamp.now())
        ])
        try await withRouter { router in
            let routes = router.group("/api").authenticated(authenticator)
            routes.get("me") { _, context in
                switch context.caller {
                case .platform(let platform): "platform \(platform.tokenID)"
                case .person(let person): "person \(person.subject) of \(person.customerID)"
                }
            }
            routes.get("write") { _, context in
                try context.caller.require("mail:write")
                return "may write"
            }
        } test: { client in
            func get(_ headers: HTTPFields, _ path: String = "/api/me") async throws -> TestResponse {
                try await client.executeRequest(uri: path, method: .get, headers: headers, body: nil)
            }
            #expect(try await String(buffer: get([.authorization: "Bearer \(good)"]).body) == "person user:1 of 7")
            #expect(try await String(buffer: get([.authorization: "bearer \(good)"], "/api/write").body) == "may write")
            for _ in 0..<3 {
                #expect(try await String(buffer: get([.xServiceToken: service.text]).body) == "platform 3")
            }
            #expect(asked.withLockedValue { $0 } == 1)
            #expect(try await get([.xServiceToken: service.text], "/api/write").status == .forbidden)

            let both = try await get([.xServiceToken: service.text, .authorization: "Bearer \(good)"])
            #expect(both.status == .badRequest)
            #expect(try both.problem.code == "ambiguous_credentials")
            let none = try await get([:])
            #expect(none.status == .unauthorized)
            #expect(none.headers[.wwwAuthenticate] == #"Bearer realm="xynap-mail""#)
            for bad in [mail, old, dead, good + "x", "x", "a.b.c", ""] {
                let response = try await get([.authorization: "Bearer \(bad)"])
                #expect(response.status == .unauthorized)
                #expect(response.headers[.wwwAuthenticate]?.contains(#"error="invalid_token""#) == true)
            }
            #expect(try await get([.xServiceToken: OpaqueToken(new: .service).text]).status == .unauthorized)
            #expect(try await get([.xServiceToken: "nonsense"]).status == .unauthorized)
        }
    }

    /// Before the ledger was read nobody knows whether a token was revoked: no 401, and certainly nobody let in.
    @Test func nobodyIsLetInBeforeTheRevocationsAreKnown() async throws {
        let pem = try SigningKeys.newKey().pem
        let keys = SigningKeys(issuer: "https://mail.test") { [pem] }
        try #require(await keys.keySet.refresh())
        let revocations = RevocationSet()
        let authenticator = Authenticator(keys: keys.keySet, revocations: revocations) { _ in nil }
        let good = try await token(keys)
        revocations.apply([
            Revocation(id: 1, at: Timestamp.now(), kind: .jti, value: "other", notBefore: Timestamp.now())
        ])
        await #expect(throws: Failure.unavailable("The list of revocations")) {
            try await authenticator.person(bearer: good)
        }
        revocations.setLoaded()
        #expect(try await authenticator.person(bearer: good).subject == "user:1")
    }

    @Test func basicCredentials() async throws {
        let credential = BasicCredential("dovecot:s3cret")
        try await withRouter { router in
            router.post("/introspect") { request, _ in
                try credential.require(request)
                let form = try await request.form()
                return form["token"] ?? "none"
            }
        } test: { client in
            let body = ByteBuffer(string: "token=a%2Bb+c&client_id=")
            var headers: HTTPFields = [
                .authorization: "Basic ZG92ZWNvdDpzM2NyZXQ=", .contentType: "application/x-www-form-urlencoded",
            ]
            let good = try await client.executeRequest(uri: "/introspect", method: .post, headers: headers, body: body)
            #expect(String(buffer: good.body) == "a+b c")
            headers[.authorization] = "Basic ZG92ZWNvdDpzM2NyZVQ="
            let bad = try await client.executeRequest(uri: "/introspect", method: .post, headers: headers, body: body)
            #expect(bad.status == .unauthorized)
            #expect(bad.headers[.wwwAuthenticate]?.hasPrefix("Basic ") == true)
        }
    }
}
