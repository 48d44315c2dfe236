import Redis

/// The id of a stream's entry, which is an event's: `<milliseconds>-<sequence>`; ordered by time.
struct StreamID: Comparable, CustomStringConvertible {
    static let zero = StreamID(milliseconds: 0, sequence: 0)

    let milliseconds: UInt64
    let sequence: UInt64

    private init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// nil for a text that is no such id.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let milliseconds = UInt64(parts[0]), let sequence = UInt64(parts[1])
        else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    var description: String { "\(milliseconds)-\(sequence)" }

    static func < (left: StreamID, right: StreamID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }
}

/// What is known of an account's log: whether something was forgotten.
struct LogState {
    private let first: StreamID?
    private let last: StreamID?
    private let isComplete: Bool

    init(first: RESPValue, last: RESPValue, added: RESPValue, length: RESPValue) {
        self.first = first.string.flatMap { StreamID($0) }
        self.last = last.string.flatMap { StreamID($0) }
        isComplete = added.integer == length.integer
    }

    /// Whether all events after `id` are still there.
    func reaches(back id: StreamID) -> Bool {
        // No log: it expired or Redis lost it, unless there never was one.
        guard let last else { return id == .zero }
        // An id from the future is of a log that was lost.
        guard id <= last else { return false }
        // The beginning is reached by a log that never lost anything; one that was made anew cannot tell what was between
        // another id and its first.
        if id == last || (id == .zero && isComplete) { return true }
        return first.map { id >= $0 } ?? false
    }
}
