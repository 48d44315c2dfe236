import Foundation

/// What a service tells Prometheus.
struct Metrics {
    private let lines: [(series: Substring, value: Double)]

    /// - Parameter base: Of the service itself: the gateway keeps its metrics inside.
    init(_ base: String) async throws {
        let reply = try await Client(base: base).get("/metrics")
        guard reply.status == 200 else { throw Surprise("no metrics: \(reply.text)") }
        let text = reply.text
        lines = text.split(separator: "\n").compactMap { line in
            guard !line.hasPrefix("#"), let space = line.lastIndex(of: " "),
                let value = Double(line[line.index(after: space)...])
            else { return nil }
            return (line[..<space], value)
        }
    }

    /// The sum over all series of that name with all of these labels (`kind="jti"`); zero when there is none yet.
    subscript(_ name: String, _ labels: [String]) -> Double {
        lines.filter { line in
            (line.series == name || line.series.hasPrefix(name + "{")) && labels.allSatisfy(line.series.contains)
        }.reduce(0) { $0 + $1.value }
    }

    subscript(_ name: String, _ labels: String...) -> Double { self[name, labels] }
}
