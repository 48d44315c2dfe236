import NIOConcurrencyHelpers

/// A state behind a lock that one task waits for. Not a stream of wakes, and a continuation without the object that
/// checks it, since very many wait at a time: whoever takes it out under the lock resumes it, and nobody else.
protocol Awaited: Sendable {
    /// Something happened since whoever waits last looked.
    var isWoken: Bool { get set }
    var waiter: UnsafeContinuation<Void, Never>? { get set }
}

extension NIOLockedValueBox where Value: Awaited {
    /// Changes it, and wakes who waits.
    /// - Parameter change: Returns whether that is anything to be waked for.
    func wake(_ change: (inout Value) -> Bool = { _ in true }) {
        let waiter = withLockedValue { state -> UnsafeContinuation<Void, Never>? in
            guard change(&state) else { return nil }
            state.isWoken = true
            return state.waiter.take()
        }
        waiter?.resume()
    }

    /// Waits until it was woken, or the task is cancelled; one task at a time, which takes the mark back itself.
    func wait() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
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
