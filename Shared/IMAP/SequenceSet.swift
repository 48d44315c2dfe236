/// UIDs or message sequence numbers as a list of ranges, in the order given (RFC 9051 §4.1.1).
///
/// Servers list sorted results as sets too (RFC 5267 §3), so the order of the ranges is kept.
/// `UInt32.max` stands for `*`, the highest number in the mailbox.
public struct SequenceSet: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    public private(set) var ranges: [ClosedRange<UInt32>]

    public init() {
        ranges = []
    }

    public init(_ range: ClosedRange<UInt32>) {
        ranges = [range]
    }

    /// `first:*`. Holds at least the highest number, even if that is below `first`.
    public init(_ range: PartialRangeFrom<UInt32>) {
        ranges = [range.lowerBound...UInt32.max]
    }

    public init(_ number: UInt32) {
        ranges = [number...number]
    }

    /// Consecutive ascending numbers become ranges.
    public init(_ numbers: some Sequence<UInt32>) {
        ranges = []
        for number in numbers { append(number) }
    }

    public init(arrayLiteral elements: UInt32...) {
        self.init(elements)
    }

    /// `1:*`
    public static let all = SequenceSet(1...UInt32.max)

    public var isEmpty: Bool { ranges.isEmpty }

    /// How many numbers; with `*` as an end, an upper bound.
    public var count: Int {
        ranges.reduce(0) { $0 + Int($1.upperBound - $1.lowerBound) + 1 }
    }

    public func contains(_ number: UInt32) -> Bool {
        ranges.contains { $0.contains(number) }
    }

    public mutating func append(_ number: UInt32) {
        if let last = ranges.last, last.upperBound != .max, last.upperBound + 1 == number {
            ranges[ranges.count - 1] = last.lowerBound...number
        } else {
            ranges.append(number...number)
        }
    }

    public mutating func append(_ range: ClosedRange<UInt32>) {
        ranges.append(range)
    }

    /// The numbers in order, at most `limit` of them: a server can write four thousand million in nine bytes.
    public func numbers(limit: Int) -> [UInt32] {
        var numbers: [UInt32] = []
        for range in ranges {
            for number in range {
                guard numbers.count < limit else { return numbers }
                numbers.append(number)
            }
        }
        return numbers
    }

    /// As on the wire: `1,4:7,9:*`.
    public var description: String {
        ranges.map { range in
            let lower = range.lowerBound == .max ? "*" : "\(range.lowerBound)"
            if range.lowerBound == range.upperBound { return lower }
            return "\(lower):\(range.upperBound == .max ? "*" : "\(range.upperBound)")"
        }.joined(separator: ",")
    }
}
