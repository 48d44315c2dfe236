import Foundation
import Testing

/// Who reads again what has not changed is told so in a few bytes (RFC 9110 §13.1.2).
@Suite(.timeLimit(.minutes(1))) struct EntityTagTests {
    let platform: Platform
    let tenant: Tenant

    init() async throws {
        platform = try Platform()
        tenant = try await platform.newTenant()
    }

    @Test func listsAndOtherReadsAreAskedForConditionally() async throws {
        let alice = try await tenant.newMailbox("alice")
        let user = try await tenant.newUser("admin")
        for path in [
            "/api/v1/users?customer_id=\(tenant.customerID)", "/api/v1/customers/\(tenant.customerID)",
            "/api/v1/mail/domains?customer_id=\(tenant.customerID)", "/api/v1/mail/domains/\(tenant.domainID)/accounts",
            alice.accountRoute(),
        ] {
            let first = try await platform.hoster.get(path)
            let tag = try #require(first.headers["etag"], "\(path)")
            #expect(first.headers["cache-control"] == "private, no-cache")
            let again = try await platform.hoster.get(path, headers: [("If-None-Match", "\"other\", W/\(tag)")])
            #expect(again.status == 304 && again.body.isEmpty && again.headers["etag"] == tag, "\(path)")
            #expect(try await platform.hoster.get(path, headers: [("If-None-Match", "\"other\"")]).status == 200)
        }
        let path = "/api/v1/users?customer_id=\(tenant.customerID)"
        let tag = try await platform.hoster.get(path).headers["etag"] ?? ""
        let changed = try await platform.hoster.patch("/api/v1/users/\(user.id)", ["role": "member"])
        #expect(changed.status == 200 && changed.headers["etag"] == nil, "an answer to a change is none to a read")
        #expect(try await platform.hoster.get(path, headers: [("If-None-Match", tag)]).status == 200, "it has changed")
        let stranger = try await platform.stranger.get(path, headers: [("If-None-Match", "*")])
        #expect(stranger.status == 401)
    }

    /// A browser with two mailboxes open keeps their answers under the same URLs.
    @Test func noMailboxIsAnsweredFromWhatWasKeptOfAnother() async throws {
        let path = "/api/v1/mail/webmail/messages/INBOX"
        let alice = try await tenant.newMailbox("alice2"), bob = try await tenant.newMailbox("bob2")
        let page = try await alice.client.get(path)
        let tag = try #require(page.headers["etag"])
        #expect(page.headers["vary"] == "Authorization, X-Service-Token, X-Mail-Account")
        #expect(try await alice.client.get(path, headers: [("If-None-Match", tag)]).status == 304)
        let other = try await bob.client.get(path, headers: [("If-None-Match", tag)])
        #expect(other.status == 200 && other.headers["etag"] != tag)
    }
}
