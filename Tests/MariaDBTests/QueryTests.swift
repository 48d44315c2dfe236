import MariaDB
import Testing
import TestSupport

@Suite struct QueryTests {
    @Test func everyTypeComesBackAsItWent() async throws {
        try await Fixture.with(
            """
            id BIGINT AUTO_INCREMENT PRIMARY KEY, i INT, t TINYINT, u BIGINT UNSIGNED, d DOUBLE, f FLOAT,
            s VARCHAR(300), x TEXT, b VARBINARY(300), l LONGBLOB, e ENUM('a', 'b'), n DECIMAL(10, 2),
            at DATETIME(3), y YEAR, w BIT(9), q BOOL
            """
        ) { fixture in
            let text = "Grüße, 世界 🐘 '\"\\ \0 ?"
            let long = String(repeating: "é", count: 5000)
            let bytes: [UInt8] = [0, 255, 39, 92, 10]
            let big = [UInt8](repeating: 7, count: 300_000)
            let outcome = try await fixture.database.execute(
                """
                INSERT INTO \(fixture.table) (i, t, u, d, f, s, x, b, l, e, n, at, y, w, q) VALUES (\(-5), \(-128),
                \(UInt64.max), \(1.5e300), \(0.5), \(text), \(long), \(bytes), \(big), \("b"), \("12.30"),
                \("2026-01-02 03:04:05.678"), \(2026), \(257), \(true))
                """)
            #expect(outcome.affectedRows == 1)
            #expect(outcome.lastInsertID == 1)
            let rows = try await fixture.database.query("SELECT * FROM \(fixture.table)")
            let row = try #require(rows.first)
            #expect(try row.int("i") == -5)
            #expect(try row.int64(at: row.position("i")) == -5)
            #expect(try row.string(at: row.position("e")) == "b")
            #expect(throws: MariaDBError.self) { try row.string(at: row.position("i")) }
            #expect(throws: MariaDBError.self) { try row.position("none") }
            #expect(try row.int64("t") == -128)
            #expect(try row.uint64("u") == .max)
            #expect(throws: MariaDBError.self) { try row.int64("u") }
            #expect(try row.double("d") == 1.5e300)
            #expect(try row.double("f") == 0.5)
            #expect(try row.string("s") == text)
            #expect(try row.string("x") == long)
            #expect(try row.bytes("b") == bytes)
            #expect(try row.bytes("l") == big)
            #expect(try row.string("e") == "b")
            #expect(try row.string("n") == "12.30")
            #expect(try row.string("at") == "2026-01-02 03:04:05.678")
            #expect(try row.int("y") == 2026)
            #expect(try row.int("w") == 257)
            #expect(try row.bool("q"))
        }
    }

    @Test func nullsAndWrongColumns() async throws {
        let database = MariaDB(try Fixture.configuration())
        let rows = try await database.query("SELECT NULL AS nothing, 'x' AS text, 5 AS number")
        let row = try #require(rows.first)
        #expect(try row.optionalString("nothing") == nil)
        #expect(try row.optionalInt64("nothing") == nil)
        for name in ["nothing", "absent"] { #expect(throws: MariaDBError.self) { try row.string(name) } }
        #expect(throws: MariaDBError.self) { try row.int("text") }
        #expect(throws: MariaDBError.self) { try row.string("number") }
        await database.close()
        await #expect(throws: MariaDBError.closed) { try await database.ping() }
    }

    @Test func valuesCannotBecomeStatements() async throws {
        try await Fixture.with("name VARCHAR(200)") { fixture in
            let hostile = ["'; DROP TABLE x; -- ", "\\", "\u{0}", "?", "%", "\" OR \"\"=\""]
            for name in hostile {
                try await fixture.database.execute("INSERT INTO \(fixture.table) (name) VALUES (\(name))")
                let found = try await fixture.database.query("SELECT name FROM \(fixture.table) WHERE name = \(name)")
                #expect(try found.map { try $0.string("name") } == [name])
            }
            let all = try await fixture.database.query(
                "SELECT COUNT(*) AS n FROM \(fixture.table) WHERE name IN (\(list: hostile))")
            #expect(try all.first?.int("n") == hostile.count)
        }
    }

    @Test func errorsAreTyped() async throws {
        try await Fixture.with("id INT PRIMARY KEY, s VARCHAR(3)") { fixture in
            let insert: SQL = "INSERT INTO \(fixture.table) (id) VALUES (\(1))"
            try await fixture.database.execute(insert)
            let error = await #expect(throws: MariaDBError.self) { try await fixture.database.execute(insert) }
            #expect(error?.isDuplicateKey == true)
            #expect(error?.code == 1062)
            #expect(error?.sqlState == "23000")
            // Strict: too long a value is refused, not cut.
            await #expect(throws: MariaDBError.self) {
                try await fixture.database.execute("UPDATE \(fixture.table) SET s = \("four")")
            }
            await #expect(throws: MariaDBError.parameterCount(expected: 1, given: 0)) {
                try await fixture.database.query("SELECT ?")
            }
        }
    }

    @Test func sessionsAreSetUp() async throws {
        let database = MariaDB(try Fixture.configuration())
        let rows = try await database.query(
            "SELECT @@time_zone AS zone, @@tx_isolation AS isolation, @@character_set_client AS charset")
        let row = try #require(rows.first)
        #expect(try row.string("zone") == "+00:00")
        #expect(try row.string("isolation") == "READ-COMMITTED")
        #expect(try row.string("charset") == "utf8mb4")
        await database.close()
    }

    @Test func aThousandAtOnce() async throws {
        let database = MariaDB(try Fixture.configuration())
        let sum = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for number in 0..<1000 {
                tasks.addTask { try await database.query("SELECT \(number) AS n").first?.int("n") ?? 0 }
            }
            return try await tasks.reduce(0, +)
        }
        #expect(sum == 499_500)
        await database.close()
    }

    @Test func statementsArePreparedOnce() async throws {
        let database = MariaDB(try Fixture.configuration(connections: 1))
        let prepared: @Sendable () async throws -> Int = {
            try await database.query(
                """
                SELECT CAST(VARIABLE_VALUE AS SIGNED) AS n FROM information_schema.SESSION_STATUS
                WHERE VARIABLE_NAME = 'Com_stmt_prepare'
                """
            ).first?.int("n") ?? 0
        }
        let before = try await prepared()
        for number in 0..<50 { _ = try await database.query("SELECT \(number) AS n") }
        #expect(try await prepared() == before + 1)
        // More than are kept: the oldest make place, and work again.
        for number in 0..<300 { _ = try await database.query("SELECT \(unsafeRaw: "\(number)") AS n") }
        #expect(try await database.query("SELECT \(7) AS n").first?.int("n") == 7)
        await database.close()
    }

    @Test func anAlteredTableIsReadAnew() async throws {
        try await Fixture.with("a INT", connections: 1) { fixture in
            let all: SQL = "SELECT * FROM \(fixture.table)"
            try await fixture.database.execute("INSERT INTO \(fixture.table) VALUES (\(1))")
            #expect(try await fixture.database.query(all).first?.names == ["a"])
            try await fixture.database.execute("ALTER TABLE \(fixture.table) ADD COLUMN b VARCHAR(9) DEFAULT 'x'")
            #expect(try await fixture.database.query(all).first?.string("b") == "x")
        }
    }
}
