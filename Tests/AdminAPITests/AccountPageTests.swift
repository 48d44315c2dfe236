import HTTPService
import MailModel
import Testing

@testable import AdminAPI

@Suite struct AccountPageTests {
    private static let full = Account(
        id: 7, email: "anna@example.com", domainID: 3, quotaMB: 1024, usedMB: 12, messages: 345, status: .suspended,
        displayName: "Anna \"Ä\" \\ O'Neill/\u{1}\n", lastLogin: "2026-01-02T03:04:05.678Z", sendLimit: 0,
        createdAt: "2025-12-31T23:59:59Z", deletedAt: "2026-02-01T00:00:00Z", purgeAt: "2026-03-03T00:00:00Z")
    private static let bare = Account(
        id: .max, email: "x@example.com", domainID: 1, quotaMB: 1, usedMB: 0, messages: 0, status: .active,
        displayName: "", lastLogin: nil, createdAt: "1970-01-01T00:00:00Z")

    @Test(arguments: [[full], [bare], [full, bare], []])
    func saysWhatTheEncoderSays(accounts: [Account]) throws {
        let page = Page(items: accounts, request: try PageRequest(page: 3, perPage: 2), total: 1_000_000)
        let encoded = String(decoding: try JSONResponses.bytes(page), as: UTF8.self)
        #expect(String(decoding: page.json(), as: UTF8.self) == encoded)
    }

    @Test func aLoginThatNeverWasIsThere() {
        let page = Page(items: [Self.bare], request: .first, total: 1)
        #expect(
            String(decoding: page.json(), as: UTF8.self)
                == #"{"items":[{"id":9223372036854775807,"email":"x@example.com","domain_id":1,"quota_mb":1,"#
                + #""used_mb":0,"messages":0,"status":"active","display_name":"","last_login":null,"#
                + #""created_at":"1970-01-01T00:00:00Z"}],"page":1,"total":1,"per_page":50}"#)
    }
}
