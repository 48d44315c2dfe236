import MailModel
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Ends requests that take too long.
///
/// One sweep every quarter of a second cancels what is overdue: a timer for each request would cost more than many a
/// request does.
final class Deadlines: Sendable, Service {
    private struct Entry {
        let due: ContinuousClock.Instant
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var next: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Runs the operation; when it is cancelled for being late, whatever it throws then becomes a 504.
    ///
    /// - Parameter executor: Where it runs; in the concurrency pool unless told otherwise.
    func run<Result: Sendable>(
        within limit: Duration, on executor: (any TaskExecutor)? = nil,
        _ operation: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task(executorPreference: executor) { try await operation() }
        let due = ContinuousClock.now.advanced(by: limit)
        let id = state.withLockedValue { state in
            state.next &+= 1
            state.entries[state.next] = Entry(due: due, cancel: { task.cancel() })
            return state.next
        }
        defer { state.withLockedValue { _ = $0.entries.removeValue(forKey: id) } }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch  where task.isCancelled && !Task.isCancelled {
            throw Failure(.timeout, code: "deadline_exceeded", "The answer took too long and was given up.")
        }
    }

    func run() async throws {
        // Not ended by a graceful shutdown: requests in flight then still have their deadlines. The group cancels us last.
        while !Task.isCancelled, !Task.isShuttingDownGracefully || state.withLockedValue({ !$0.entries.isEmpty }) {
            sweep()
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    func sweep() {
        let now = ContinuousClock.now
        let overdue = state.withLockedValue { $0.entries.values.filter { $0.due <= now } }
        for entry in overdue { entry.cancel() }
    }
}
