import FoundationEssentials
import Glibc

/// The numbers of one route, found once when the route is made, not at each request.
struct RouteMetrics: Sendable {
    private let duration: Series
    /// By class of status: 1xx to 5xx.
    private let requests: [Series]

    init(_ metrics: Prometheus, method: String, route: String) {
        let labels = [("method", method), ("route", route)]
        duration = metrics.series(.histogram, "http_request_duration_seconds", labels)
        requests = (1...5).map { metrics.series(.counter, "http_requests_total", labels + [("status", "\($0)xx")]) }
    }

    func record(status: Int, _ elapsed: Duration) {
        duration.record(Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18)
        requests[min(max(status / 100, 1), 5) - 1].increment(by: 1.0)
    }
}

/// What the process itself takes, read when asked.
enum ProcessMetrics {
    static func text() -> String {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        var text = MetricHelp.line("process_cpu_seconds_total")
        text += "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total \(seconds)\n"
        if let data = FileManager.default.contents(atPath: "/proc/self/statm"),
            let pages = String(decoding: data, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap({
                Int($0)
            })
        {
            let bytes = pages * Int(sysconf(Int32(_SC_PAGESIZE)))
            text += MetricHelp.line("process_resident_memory_bytes")
            text += "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes \(bytes)\n"
        }
        text += MetricHelp.line("process_start_time_seconds")
        return text + "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds \(started)\n"
    }

    /// When the numbers were first asked for; `Prometheus` asks when it is made.
    static let started = Date().timeIntervalSince1970
}
