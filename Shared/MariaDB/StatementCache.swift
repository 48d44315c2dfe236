import CMariaDB

/// The prepared statements of one connection; the one unused for longest makes place.
struct StatementCache {
    private static let capacity = 128
    private var entries: [String: (statement: Statement, lastUse: UInt64)] = [:]
    private var uses: UInt64 = 0

    mutating func statement(for text: String, on handle: UnsafeMutablePointer<MYSQL>) throws -> Statement {
        uses += 1
        if let known = entries[text]?.statement {
            entries[text]?.lastUse = uses
            return known
        }
        if entries.count >= Self.capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            remove(oldest.key)
        }
        let statement = try Statement(handle, text)
        entries[text] = (statement, uses)
        return statement
    }

    mutating func remove(_ text: String) { entries[text] = nil }

    mutating func removeAll() { entries = [:] }
}
