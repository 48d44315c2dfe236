import Testing

@testable import AdminAPI

@Suite struct TurnsTests {
    private struct Broken: Error {}

    private actor Counts {
        var now = 0, most = 0, done = 0

        func begin() {
            now += 1
            most = max(most, now)
        }

        func end() {
            now -= 1
            done += 1
        }
    }

    @Test func oneAtATimeWorksOnAName() async throws {
        let turns = Turns()
        let counts = Counts()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try? await turns.take("a") {
                        await counts.begin()
                        await Task.yield()
                        await counts.end()
                        // What fails gives its turn back too.
                        throw Broken()
                    }
                }
            }
        }
        #expect(await counts.most == 1)
        #expect(await counts.done == 50)
    }

    @Test func otherNamesGoOn() async {
        let turns = Turns()
        let value = await turns.take("a") { await turns.take("b") { 1 } }
        #expect(value == 1)
    }
}
