import HummingbirdCore
import IMAP
import MailModel
import Testing

@testable import WebmailProxy

@Suite struct ListRequestTests {
    private func request(_ query: String) throws(Failure) -> ListRequest {
        try ListRequest(URI("/messages/INBOX?\(query)").queryParameters)
    }

    @Test func asksForTheNewestFiftyByDefault() throws {
        let request = try request("")
        #expect(request.page == .first)
        #expect(request.isWindow)
        #expect(request.numbers(of: 120) == 71...120)
    }

    @Test(
        arguments: [
            ("page=2&per_page=50", 120, 21...70), ("page=3&per_page=50", 120, 1...20),
            ("page=1&per_page=50&order=asc", 120, 1...50), ("page=3&per_page=50&order=asc", 120, 101...120),
            ("page=1&per_page=200", 7, 1...7),
        ] as [(String, UInt32, ClosedRange<UInt32>)])
    func countsWindowsFromTheEnd(query: String, exists: UInt32, expected: ClosedRange<UInt32>) throws {
        #expect(try request(query).numbers(of: exists) == expected)
    }

    @Test func hasNothingPastTheEnd() throws {
        #expect(try request("page=4&per_page=50").numbers(of: 120) == nil)
        #expect(try request("").numbers(of: 0) == nil)
    }

    @Test(arguments: [
        ("per_page=0", "per_page"), ("per_page=201", "per_page"), ("page=0", "page"), ("page=x", "page"),
        ("unseen=maybe", "unseen"), ("sort=colour", "sort"), ("order=up", "order"),
        ("has_attachments=some", "has_attachments"), ("threads=all", "threads"), ("q=larger:much", "q"),
        ("has_attachments=false&q=has:attachment", "has_attachments"),
    ])
    func refusesWhatItDoesNotUnderstand(query: String, field: String) {
        let failure = #expect(throws: Failure.self) { try request(query) }
        #expect(failure?.kind == .invalid)
        #expect(failure?.fields.map(\.name) == [field])
    }

    @Test func translatesFiltersIntoASearch() throws {
        let request = try request("unseen=true&flagged=false&sort=date&order=asc&q=from:ann")
        #expect(!request.isWindow)
        #expect(request.searchKey == .and([.noFlag(.seen), .noFlag(.flagged), .from("ann")]))
        #expect(request.sortKey == .date)
    }
}

@Suite struct SearchQueryTests {
    @Test func splitsAtSpacesAndKeepsQuotedValuesWhole() throws {
        let query = try SearchQuery(#"invoice from:ann subject:"two words"  is:unread"#)
        #expect(query.terms == [.words("invoice"), .from("ann"), .subject("two words"), .not(.flag(.seen))])
    }

    @Test func readsDaysAndSizes() throws {
        let first = try #require(CalendarDay(year: 2026, month: 1, day: 2))
        #expect(try SearchQuery("before:2026-01-02").terms == [.before(first)])
        #expect(try SearchQuery("after:2026-01-02").terms == [.since(first)])
        #expect(try SearchQuery("on:2026-01-02").terms == [.on(first)])
        #expect(try SearchQuery("larger:2M").terms == [.larger(2 << 20)])
        #expect(try SearchQuery("smaller:500kB").terms == [.smaller(500 << 10)])
        #expect(try SearchQuery("larger:9000000M").terms == [.larger(.max)])
    }

    @Test func takesAnUnknownPrefixForText() throws {
        #expect(
            try SearchQuery("http://example.com re:hello").terms == [.words("http://example.com"), .words("re:hello")])
    }

    @Test func turnsTermsRoundAndJoinsThem() throws {
        #expect(try SearchQuery("-from:ann").terms == [.not(.from("ann"))])
        #expect(try SearchQuery("NOT is:read").terms == [.not(.flag(.seen))])
        #expect(try SearchQuery("from:ann OR from:bob red").terms == [.or(.from("ann"), .from("bob")), .words("red")])
        #expect(try SearchQuery(#""OR" "-a" -"#).terms == [.words("OR"), .words("-a"), .words("-")])
        #expect(SearchKey(.not(.flag(.seen))) == .noFlag(.seen))
        #expect(SearchKey(.not(.words("a"))) == .not(SearchKey(.words("a"))))
    }

    @Test func takesAttachmentsOutOfTheSearch() throws {
        let query = try SearchQuery("from:ann has:attachment")
        #expect(query.terms == [.from("ann")])
        #expect(query.hasAttachments == true)
        #expect(try SearchQuery("-has:attachment").hasAttachments == false)
        #expect(try SearchQuery("from:ann").hasAttachments == nil)
    }

    @Test(arguments: [
        "is:purple", "before:soon", "before:2026-02-30", "from:", "larger:x", "a\u{7}b\u{1}", "OR a", "a OR",
        "has:attachment OR a", "has:attachment -has:attachment", "has:wings",
    ])
    func refuses(_ text: String) {
        #expect(throws: Failure.self) { try SearchQuery(text) }
    }
}
