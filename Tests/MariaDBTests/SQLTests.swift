import MariaDB
import Testing

@Suite struct SQLTests {
    @Test func interpolationsBecomeParameters() {
        let name = "x' OR 1=1 -- "
        let nothing: Int? = nil
        let sql: SQL = "SELECT 1 FROM t WHERE name = \(name) AND n = \(7) AND z = \(nothing)"
        #expect(sql.text == "SELECT 1 FROM t WHERE name = ? AND n = ? AND z = ?")
        #expect(sql.parameters == [.string(name), .int(7), .null])
    }

    @Test func listsAndParts() {
        let condition: SQL = "a = \(1)"
        let sql: SQL = "SELECT 1 WHERE \(condition) AND b IN (\(list: ["x", "y"])) AND c IN (\(list: [Int]()))"
        #expect(sql.text == "SELECT 1 WHERE a = ? AND b IN (?, ?) AND c IN (NULL)")
        #expect(sql.parameters == [.int(1), .string("x"), .string("y")])
        #expect([condition, condition].joined(separator: " OR ").text == "a = ? OR a = ?")
        #expect((condition + " AND " + condition).parameters == [.int(1), .int(1)])
    }
}
