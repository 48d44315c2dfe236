import MailModel
import Testing

@Suite struct ScalarTests {
    /// One `Character` of a thousand scalars is a thousand characters to a database.
    @Test func textIsCutByScalars() {
        let tower = "a" + String(repeating: "\u{301}", count: 1000)
        #expect(tower.count == 1 && tower.prefix(scalars: 320).unicodeScalars.count == 320)
        #expect("short".prefix(scalars: 320) == "short" && "üöä".prefix(scalars: 2) == "üö")
    }
}
