/// What an INSERT, UPDATE, DELETE or DDL statement did.
public struct Outcome: Sendable, Equatable {
    /// Rows found by the WHERE clause, changed or not (CLIENT_FOUND_ROWS); an INSERT's rows.
    public let affectedRows: Int
    /// The AUTO_INCREMENT value of the first row inserted; 0 without one.
    public let lastInsertID: Int64
}

/// The statements of one transaction, or of the holder of a named lock; valid inside the body that was given it.
public struct Transaction {
    let connection: Connection

    /// The rows of a SELECT. Throws `MariaDBError`.
    public func query(_ sql: SQL) throws -> [Row] { try connection.query(sql) }

    /// Runs a statement that gives no rows. Throws `MariaDBError`.
    @discardableResult
    public func execute(_ sql: SQL) throws -> Outcome { try connection.execute(sql) }
}
