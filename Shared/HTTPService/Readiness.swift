import Hummingbird
import NIOConcurrencyHelpers

/// Whether a service can serve: the state of each thing it depends on, asked at most once a second.
public final class Readiness: Sendable {
    public enum State: String, Sendable, Codable {
        case ok
        /// It works, with losses.
        case degraded
        case down
    }

    private struct Check: Sendable {
        let name: String
        let isCritical: Bool
        let state: @Sendable () async -> State
    }

    struct Report: Encodable, Sendable {
        let status: State
        let checks: [String: State]
    }

    private let checks = NIOLockedValueBox<[Check]>([])
    private let cached = NIOLockedValueBox<(report: Report, at: ContinuousClock.Instant)?>(nil)

    public init() {}

    /// Adds a dependency.
    ///
    /// - Parameters:
    ///   - isCritical: Whether the service cannot serve without it: `/readyz` is then 503 while it is down.
    ///   - state: How it is; it must answer by itself within a second or two.
    public func add(
        _ name: String, isCritical: Bool = true, _ state: @escaping @Sendable () async -> State
    ) {
        checks.withLockedValue { $0.append(Check(name: name, isCritical: isCritical, state: state)) }
    }

    func report() async -> Report {
        if let (report, at) = cached.withLockedValue({ $0 }), at.duration(to: .now) < .seconds(1) { return report }
        let checks = checks.withLockedValue { $0 }
        let states = await withTaskGroup(of: (String, State).self) { group in
            for check in checks { group.addTask { (check.name, await check.state()) } }
            return await group.reduce(into: [String: State]()) { $0[$1.0] = $1.1 }
        }
        let isDown = checks.contains { $0.isCritical && states[$0.name] == .down }
        let status: State = isDown ? .down : states.values.allSatisfy { $0 == .ok } ? .ok : .degraded
        let report = Report(status: status, checks: states)
        cached.withLockedValue { $0 = (report, .now) }
        return report
    }
}
