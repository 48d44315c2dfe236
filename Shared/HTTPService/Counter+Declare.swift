public import CoreMetrics

extension Counter {
    /// Shows a counter's series from the start, at 0: an alert on what never happened yet then finds something to look at.
    ///
    /// - Parameters:
    ///   - dimension: The name of its one label.
    ///   - values: What that may be.
    public static func declare(_ label: String, by dimension: String, _ values: [String]) {
        for value in values { _ = Counter(label: label, dimensions: [(dimension, value)]) }
    }
}
