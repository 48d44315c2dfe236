public import CoreMetrics
import NIOConcurrencyHelpers

/// A metrics backend that keeps numbers in memory and prints them in Prometheus' text format (version 0.0.4).
///
/// Counters, gauges, and histograms (seconds, for timers); a name has at most `seriesLimit` label sets, and what comes
/// after them is counted as `overflow="true"`.
public final class Prometheus: MetricsFactory, Sendable {
    enum Kind: String { case counter, gauge, histogram }

    private struct Family {
        let kind: Kind
        var series: [String: Series] = [:]
    }

    private let families = NIOLockedValueBox<[String: Family]>([:])
    private let seriesLimit: Int

    public init(seriesLimit: Int = 1000) {
        self.seriesLimit = seriesLimit
        _ = ProcessMetrics.started
    }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(.counter, label, dimensions)
    }

    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler { series(.counter, label, dimensions) }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(.gauge, label, dimensions)
    }

    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler { series(aggregate ? .histogram : .gauge, label, dimensions) }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(.histogram, label, dimensions)
    }

    // Series live as long as the process: what was counted once is always shown.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    func series(_ kind: Kind, _ label: String, _ dimensions: [(String, String)]) -> Series {
        let name = Self.name(label)
        let labels = dimensions.map { "\(Self.name($0.0))=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
        return families.withLockedValue { families in
            var family = families[name] ?? Family(kind: kind)
            // A second kind under one name would make the text invalid: its numbers go nowhere.
            guard family.kind == kind else { return Series(kind: kind) }
            let key = family.series[labels] == nil && family.series.count >= seriesLimit ? "overflow=\"true\"" : labels
            if let known = family.series[key] { return known }
            let made = Series(kind: kind)
            family.series[key] = made
            families[name] = family
            return made
        }
    }

    /// Everything, sorted by name.
    public func text() -> String {
        var text = ""
        for (name, family) in families.withLockedValue({ $0 }).sorted(by: { $0.key < $1.key }) {
            text += MetricHelp.line(name) + "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name: name, labels: labels, to: &text)
            }
        }
        return text + ProcessMetrics.text()
    }

    private static func name(_ label: String) -> String {
        String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

/// One time series: a number, or a histogram of seconds.
final class Series: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler, Sendable {
    /// Upper bounds in seconds, a quarter of a millisecond to ten seconds.
    private static let bounds: [Double] = [
        0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    private struct State {
        var value = 0.0
        var count: UInt64 = 0
        var buckets: [UInt64]
    }

    private let kind: Prometheus.Kind
    private let state: NIOLockedValueBox<State>

    init(kind: Prometheus.Kind) {
        self.kind = kind
        let size = kind == .histogram ? Self.bounds.count : 0
        self.state = NIOLockedValueBox(State(buckets: [UInt64](repeating: 0, count: size)))
    }

    func increment(by amount: Int64) { increment(by: Double(amount)) }
    func increment(by amount: Double) { state.withLockedValue { $0.value += amount } }
    func decrement(by amount: Double) { increment(by: -amount) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { state.withLockedValue { $0.value = value } }
    func reset() { set(0.0) }
    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Double) {
        guard kind == .histogram else { return set(value) }
        state.withLockedValue { state in
            state.value += value
            state.count += 1
            if let bucket = Self.bounds.firstIndex(where: { value <= $0 }) { state.buckets[bucket] += 1 }
        }
    }

    func write(name: String, labels: String, to text: inout String) {
        let state = state.withLockedValue { $0 }
        let set = labels.isEmpty ? "" : "{\(labels)}"
        guard kind == .histogram else {
            text += "\(name)\(set) \(state.value)\n"
            return
        }
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        for (bound, count) in zip(Self.bounds, state.buckets) {
            total += count
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_bucket{\(labels)\(separator)le=\"+Inf\"} \(state.count)\n"
        text += "\(name)_sum\(set) \(state.value)\n\(name)_count\(set) \(state.count)\n"
    }
}
