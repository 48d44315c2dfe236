import MailModel
import Testing

@testable import MailWatcher

/// What a client says of the events that it heard.
struct SinceTests {
    @Test("one id stands for every mailbox; a mailbox's own comes first")
    func ids() throws {
        let one = try #require(try Since(["5-1"]))
        #expect(one.id(of: "a@example.com") == EventID("5-1"))
        let each = try #require(try Since(["a@example.com:9-0", "B@example.com:7-2"]))
        #expect(each.id(of: "a@example.com") == EventID("9-0") && each.id(of: "b@example.com") == EventID("7-2"))
        #expect(each.id(of: "quiet@example.com") == EventID("7-2"))
        let both = try #require(try Since(["a@example.com:9-0", "8-0"]))
        #expect(both.id(of: "a@example.com") == EventID("9-0") && both.id(of: "quiet@example.com") == EventID("8-0"))
        #expect(try Since([]) == nil && Since([""]) == nil)
    }

    @Test("what is no id is refused", arguments: ["5", "x", "a@example.com:", "a@example.com:5", "nobody:5-0", ":5-0"])
    func malformed(_ text: String) {
        #expect(throws: Failure.self) { try Since([text]) }
    }
}
