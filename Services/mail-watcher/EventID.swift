/// The id of an event: that of its entry in the account's stream, `<milliseconds>-<sequence>`.
struct EventID: Comparable, Sendable, CustomStringConvertible {
    let milliseconds: UInt64
    let sequence: UInt64

    init(milliseconds: UInt64, sequence: UInt64 = 0) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// nil for a text that is no such id.
    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }),
            let milliseconds = UInt64(String(Substring(parts[0]))), let sequence = UInt64(String(Substring(parts[1])))
        else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    var description: String { "\(milliseconds)-\(sequence)" }

    /// An id for an event that the log could not take: after this one, and not before now.
    func next(at now: UInt64) -> EventID {
        now > milliseconds
            ? EventID(milliseconds: now) : EventID(milliseconds: milliseconds, sequence: sequence &+ 1)
    }

    static func < (left: EventID, right: EventID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }
}
