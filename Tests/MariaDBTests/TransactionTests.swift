import MariaDB
import Testing
import TestSupport

@Suite struct TransactionTests {
    private struct Refused: Error {}

    @Test func commitsOrRollsBack() async throws {
        try await Fixture.with("id INT PRIMARY KEY") { fixture in
            let table = fixture.table
            let count = try await fixture.database.transaction { transaction in
                try transaction.execute("INSERT INTO \(table) VALUES (\(1)), (\(2))")
                return try transaction.query("SELECT id FROM \(table)").count
            }
            #expect(count == 2)
            await #expect(throws: Refused.self) {
                try await fixture.database.transaction { transaction in
                    try transaction.execute("DELETE FROM \(table)")
                    throw Refused()
                }
            }
            #expect(try await fixture.database.query("SELECT id FROM \(table)").count == 2)
        }
    }

    @Test func aDeadlockIsRunAgain() async throws {
        try await Fixture.with("id INT PRIMARY KEY, n INT") { fixture in
            let table = fixture.table
            let database = fixture.database
            try await database.execute("INSERT INTO \(table) VALUES (1, 0), (2, 0)")
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for (first, second) in [(1, 2), (2, 1)] {
                    tasks.addTask {
                        try await database.transaction { transaction in
                            try transaction.execute("UPDATE \(table) SET n = n + 1 WHERE id = \(first)")
                            _ = try transaction.query("SELECT SLEEP(0.2)")
                            try transaction.execute("UPDATE \(table) SET n = n + 1 WHERE id = \(second)")
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(try await database.query("SELECT n FROM \(table)").map { try $0.int("n") } == [2, 2])
        }
    }

    @Test func namedLocksExclude() async throws {
        let database = MariaDB(try Fixture.configuration())
        let name = "zz_test_\(UInt64.random(in: 0 ... .max))"
        async let first: Void = database.lock(name: name, timeout: .seconds(5)) { session in
            _ = try session.query("SELECT SLEEP(2.5)")
        }
        while try await database.query("SELECT IS_USED_LOCK(\(name)) AS holder").first?.optionalInt64("holder") == nil {
            try await Task.sleep(for: .milliseconds(10))
        }
        await #expect(throws: MariaDBError.lockNotAcquired(name: name)) {
            try await database.lock(name: name, timeout: .seconds(1)) { _ in }
        }
        try await first
        #expect(try await database.lock(name: name, timeout: .seconds(1)) { _ in 7 } == 7)
        await database.close()
    }
}
