import Foundation

/// Durations of one operation, in milliseconds.
struct Sample {
    private var sorted: [Double]

    init(_ milliseconds: [Double]) { sorted = milliseconds.sorted() }

    /// - Parameter p: From 0 to 1.
    func percentile(_ p: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * p))] }
    var median: Double { percentile(0.5) }
}

/// One line of the table: a measure, what it is measured against, and what it must reach.
struct Result {
    enum Budget {
        case atLeast(Double)
        case atMost(Double)

        func holds(_ value: Double) -> Bool {
            switch self {
            case .atLeast(let bound): value >= bound
            case .atMost(let bound): value <= bound
            }
        }

        var text: String {
            switch self {
            case .atLeast(let bound): "≥ \(bound.formatted())"
            case .atMost(let bound): "≤ \(bound.formatted())"
            }
        }
    }

    let what: String
    /// The figures behind the value, with their units.
    let measured: String
    let value: Double
    let budget: Budget
}

enum Report {
    static func print(_ results: [Result]) {
        let rows = results.map { result in
            [
                result.what, result.measured, String(format: "%.2f", result.value), result.budget.text,
                result.budget.holds(result.value) ? "ok" : "MISSED",
            ]
        }
        let table = [["what", "measured (medians of interleaved rounds)", "value", "budget", ""]] + rows
        let widths = (0..<5).map { column in table.map { $0[column].count }.max() ?? 0 }
        for (index, row) in table.enumerated() {
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            Swift.print("| " + cells.joined(separator: " | ") + " |")
            if index == 0 {
                Swift.print("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|")
            }
        }
    }
}

/// Milliseconds that a call took.
func timed(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    let elapsed = start.duration(to: .now).components
    return Double(elapsed.seconds) * 1000 + Double(elapsed.attoseconds) / 1e15
}
