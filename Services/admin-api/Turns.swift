import NIOConcurrencyHelpers

/// Lets one at a time work on what has a name; who comes meanwhile waits in line. In this process: other replicas do not
/// know of it.
final class Turns: Sendable {
    /// Who waits, by name; a name that is here has somebody at work.
    private let lines = NIOLockedValueBox<[String: [CheckedContinuation<Void, Never>]]>([:])

    func take<Value>(_ name: String, _ work: () async throws -> Value) async rethrows -> Value {
        await begin(name)
        defer { end(name) }
        return try await work()
    }

    private func begin(_ name: String) async {
        await withCheckedContinuation { continuation in
            let isFree = lines.withLockedValue { lines in
                guard lines[name] == nil else {
                    lines[name]?.append(continuation)
                    return false
                }
                lines[name] = []
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    private func end(_ name: String) {
        let next: CheckedContinuation<Void, Never>? = lines.withLockedValue { lines in
            guard let first = lines[name]?.first else {
                lines[name] = nil
                return nil
            }
            lines[name]?.removeFirst()
            return first
        }
        next?.resume()
    }
}
