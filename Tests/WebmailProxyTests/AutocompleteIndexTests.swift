import MailModel
import Testing

@testable import WebmailProxy

@Suite struct AutocompleteIndexTests {
    private static let now: Int64 = 1_790_000_000_000
    private static let day: Int64 = 86_400_000

    private static func person(
        _ address: String, _ name: String = "", mails: Int = 0, daysAgo: Int64 = 0, isContact: Bool = false
    ) -> KnownPerson {
        let affinity = mails == 0 ? nil : Affinity(weight: Double(mails), at: now - daysAgo * day)
        return KnownPerson(address: address, name: name, affinity: affinity, isContact: isContact)
    }

    private func index(_ people: KnownPerson...) -> AutocompleteIndex {
        var index = AutocompleteIndex()
        index.apply(people)
        return index
    }

    private func found(_ query: String, in index: AutocompleteIndex, limit: Int = 10) -> [String] {
        index.search(query, limit: limit, now: Self.now).map(\.email)
    }

    @Test(arguments: [
        "a", "an", "ann", "ANN", "lee", "ann lee", "lee ann", "leé", "ann.l", "lee@", "exam", "ann.lee@example.com",
        "mail", "<ann", " ann ",
    ])
    func findsTheBeginningOfAnyWord(query: String) {
        let index = index(
            Self.person("ann.lee@mail.example.com", "Ann Lee", mails: 1), Self.person("x@y.test", "Zoe", mails: 1))
        let wanted = query == "ann.lee@example.com" ? [] : ["ann.lee@mail.example.com"]
        #expect(found(query, in: index) == wanted)
    }

    @Test(arguments: ["nn", "com", "ee", "ann zoe", "!!!", "ann x"])
    func findsNothingElse(query: String) {
        #expect(found(query, in: index(Self.person("ann.lee@example.com", "Ann Lee", mails: 1))) == [])
    }

    @Test(arguments: [
        ("Jörg Müller", ["jor", "joerg", "mul", "mue", "MÜL", "Mu\u{308}"]), ("Ærø Straße", ["aero", "stras"]),
        ("José Ñandú", ["jose", "nan", "ÑANDU"]), ("Łukasz Đorđe", ["luk", "dorde"]), ("Ѓорѓи Нина", ["нина"]),
        ("Ωμέγα Άννα", ["ωμε", "αννα"]), ("Trần Ngọc", ["tran", "ngoc"]), ("İlkay Şen", ["ilkay", "sen"]),
        ("王小明", ["王小"]), ("O'Brien-Smith", ["o'b", "bri", "smi"]),
    ])
    func foldsAccentsAndCase(name: String, queries: [String]) {
        let index = index(Self.person("x@y.test", name, isContact: true))
        for query in queries { #expect(found(query, in: index) == ["x@y.test"], "\(query)") }
    }

    @Test func theOftenAndLatelyComeFirst() {
        let index = index(
            Self.person("rare@a.test", mails: 1, daysAgo: 1), Self.person("often@a.test", mails: 5, daysAgo: 1),
            Self.person("past@a.test", mails: 5, daysAgo: 300), Self.person("book@a.test", isContact: true),
            Self.person("both@a.test", mails: 1, daysAgo: 1, isContact: true))
        #expect(found("a.", in: index) == ["often@a.test", "both@a.test", "rare@a.test", "book@a.test", "past@a.test"])
        #expect(found("", in: index, limit: 2) == ["often@a.test", "both@a.test"])
        let scores = index.search("a", limit: 50, now: Self.now).map(\.score)
        #expect(scores == scores.sorted(by: >) && scores.count == 5)
    }

    @Test func equalsComeInTheOrderOfTheirAddresses() {
        let index = index(
            Self.person("c@a.test", isContact: true), Self.person("a@a.test", isContact: true),
            Self.person("b@a.test", isContact: true))
        #expect(found("a", in: index, limit: 2) == ["a@a.test", "b@a.test"])
    }

    @Test func changesAreSeen() {
        var index = index(Self.person("ann@a.test", "Ann", mails: 1), Self.person("bob@a.test", "Bob", mails: 2))
        index.apply([Self.person("ann@a.test", "Ann", mails: 9)])
        #expect(found("a.t", in: index) == ["ann@a.test", "bob@a.test"])
        index.apply([Self.person("ann@a.test", "Zoe", mails: 9)])
        #expect(
            found("zo", in: index) == ["ann@a.test"] && index.search("ann", limit: 1, now: Self.now)[0].name == "Zoe")
        index.apply([Self.person("ann@a.test", "")])
        #expect(found("a", in: index) == ["bob@a.test"] && index.count == 1)
        index.apply([Self.person("gone@a.test", "")])
        #expect(index.count == 1)
        index.apply([Self.person("ann@a.test", "Ann", isContact: true)])
        #expect(found("ann", in: index) == ["ann@a.test"])
    }

    @Test func staysTheSameHoweverItIsPutTogether() {
        let people = (0..<3000).map { number in
            Self.person(
                "p\(number)@d\(number % 7).test", "Name\(number % 50) Word\(number)", mails: number % 5, isContact: true
            )
        }
        var (whole, pieces) = (AutocompleteIndex(), AutocompleteIndex())
        whole.apply(people)
        for person in people.shuffled() { pieces.apply([Self.person(person.address, "Other", mails: 1)]) }
        for start in stride(from: 0, to: 3000, by: 100) { pieces.apply(Array(people[start..<start + 100])) }
        for query in ["n", "name4", "word29", "d3", "p1", "name1 word1", "p299", "other", "name49 d6"] {
            #expect(
                whole.search(query, limit: 20, now: Self.now) == pieces.search(query, limit: 20, now: Self.now),
                "\(query)")
        }
        #expect(pieces.size < 4 * whole.size)
    }

    @Test func hostileTextsAreTexts() {
        let long = String(repeating: "a", count: 200)
        let index = index(
            Self.person("\(String(repeating: "b", count: 64))@x.test", long, isContact: true),
            Self.person("z@x.test", String(repeating: "\u{301}", count: 200), isContact: true),
            Self.person("y@x.test", "\u{0}\u{1f600} \u{202e}", isContact: true))
        #expect(found(long, in: index).count == 1)
        #expect(found("\u{1f600}", in: index) == [])
        #expect(found("x", in: index).count == 3)
    }
}
