import NIOConcurrencyHelpers

/// A bounded queue from any number of writers to one reader. When it is full everything in it is replaced by one
/// element that tells of the gap, so that a slow reader learns that it missed something, and is never waited for.
public final class GapQueue<Element: Sendable>: AsyncSequence, Sendable {
    private struct State {
        var elements: [Element] = []
        var head = 0
        var waiting: CheckedContinuation<Element?, Never>?
        var isFinished = false

        var count: Int { elements.count - head }

        mutating func popFirst() -> Element? {
            guard head < elements.count else { return nil }
            defer {
                head += 1
                if head == elements.count {
                    elements.removeAll(keepingCapacity: head <= 64)
                    head = 0
                }
            }
            return elements[head]
        }
    }

    private let capacity: Int
    private let gap: Element
    private let state = NIOLockedValueBox(State())

    /// - Parameter gap: Stands for what was dropped.
    public init(capacity: Int, gap: Element) {
        self.capacity = Swift.max(1, capacity)
        self.gap = gap
    }

    /// Never waits. After `finish()` nothing happens.
    public func append(_ element: Element) {
        let reader: CheckedContinuation<Element?, Never>? = state.withLockedValue { state in
            guard !state.isFinished else { return nil }
            if let reader = state.waiting {
                state.waiting = nil
                return reader
            }
            if state.count >= capacity {
                state.elements = [gap]
                state.head = 0
            } else {
                state.elements.append(element)
            }
            return nil
        }
        reader?.resume(returning: element)
    }

    /// What is queued is still read; then the sequence ends.
    public func finish() {
        let reader = state.withLockedValue { state in
            defer { state.waiting = nil }
            state.isFinished = true
            return state.waiting
        }
        reader?.resume(returning: nil)
    }

    public func makeAsyncIterator() -> Iterator { Iterator(queue: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let queue: GapQueue

        /// nil when the queue is finished and empty, or the task is cancelled.
        public func next() async -> Element? { await queue.next() }
    }

    private func next() async -> Element? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Element?? = state.withLockedValue { state in
                    if let element = state.popFirst() { return .some(element) }
                    // One reader only: a second one ends at once.
                    if state.isFinished || state.waiting != nil || Task.isCancelled { return .some(nil) }
                    state.waiting = continuation
                    return .none
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let reader = state.withLockedValue { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            reader?.resume(returning: nil)
        }
    }
}
