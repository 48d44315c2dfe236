import CMariaDB

/// The prepared statements of one connection; the one unused for longest makes place.
struct StatementCache {
    private final class Entry {
        let statement: Statement
        var lastUse: UInt64

        init(_ statement: Statement, lastUse: UInt64) {
            self.statement = statement
            self.lastUse = lastUse
        }
    }

    private static let capacity = 128
    private var entries: [String: Entry] = [:]
    private var uses: UInt64 = 0

    mutating func statement(for text: String, on handle: UnsafeMutablePointer<MYSQL>) throws -> Statement {
        uses += 1
        // One look: a statement may be a thousand bytes long, all of which are hashed for it.
        if let known = entries[text] {
            known.lastUse = uses
            return known.statement
        }
        if entries.count >= Self.capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            remove(oldest.key)
        }
        let statement = try Statement(handle, text)
        entries[text] = Entry(statement, lastUse: uses)
        return statement
    }

    mutating func remove(_ text: String) { entries[text] = nil }

    mutating func removeAll() { entries = [:] }
}
