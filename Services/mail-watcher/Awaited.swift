import NIOConcurrencyHelpers

/// A state behind a lock that one task waits for. Not a stream of wakes, since very many wait at a time.
protocol Awaited: Sendable {
    /// Something happened since whoever waits last looked.
    var isWoken: Bool { get set }
    var waiter: CheckedContinuation<Void, Never>? { get set }
}

extension NIOLockedValueBox where Value: Awaited {
    /// Changes it, and wakes who waits.
    /// - Parameter change: Returns whether that is anything to be waked for.
    func wake(_ change: (inout Value) -> Bool = { _ in true }) {
        let waiter = withLockedValue { state -> CheckedContinuation<Void, Never>? in
            guard change(&state) else { return nil }
            state.isWoken = true
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Waits until it was woken, or the task is cancelled; one task at a time, which takes the mark back itself.
    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = withLockedValue { state in
                    if state.isWoken || Task.isCancelled { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            withLockedValue { $0.waiter.take() }?.resume()
        }
    }
}
