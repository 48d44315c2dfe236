import MariaDB
import TestSupport

/// A pool on the stack's server and a table of the test's own.
struct Fixture {
    let database: MariaDB
    /// The table's name, for statements.
    let table: SQL

    static func configuration(connections: Int = 4) throws -> MariaDB.Configuration {
        let stack = try TestStack.load().database
        return MariaDB.Configuration(
            socket: stack.socket, user: stack.user, password: stack.password, database: stack.name,
            connections: connections)
    }

    /// Runs the body with a table of these columns, which is dropped afterwards.
    static func with(
        _ columns: SQL, connections: Int = 4, _ body: (Fixture) async throws -> Void
    ) async throws {
        let database = MariaDB(try configuration(connections: connections))
        let table: SQL = "\(unsafeRaw: "zz_test_\(UInt64.random(in: 0 ... .max))")"
        try await database.execute("CREATE TABLE \(table) (\(columns))")
        let result: Result<Void, any Error>
        do { result = .success(try await body(Fixture(database: database, table: table))) } catch {
            result = .failure(error)
        }
        try await database.execute("DROP TABLE \(table)")
        await database.close()
        try result.get()
    }
}
