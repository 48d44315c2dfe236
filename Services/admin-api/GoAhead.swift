import NIOConcurrencyHelpers

/// The word that something may be done now, for those who get ready meanwhile: said once, or refused.
final class GoAhead: Sendable {
    /// It will not be given: what it depended on has failed.
    struct Refused: Error {}

    private enum State {
        case open([CheckedContinuation<Void, any Error>])
        case told(Result<Void, Refused>)
    }

    private let state: NIOLockedValueBox<State>

    init() { state = NIOLockedValueBox(.open([])) }

    private init(told result: Result<Void, Refused>) { state = NIOLockedValueBox(.told(result)) }

    /// For what need not wait.
    static let given = GoAhead(told: .success(()))

    var isGiven: Bool {
        state.withLockedValue { state in
            if case .told(.success) = state { true } else { false }
        }
    }

    /// - Throws: `Refused`. It does not end before the word is said, not even when it is cancelled.
    func wait() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let told: Result<Void, Refused>? = state.withLockedValue { state in
                switch state {
                case .open(let waiting):
                    state = .open(waiting + [continuation])
                    return nil
                case .told(let result): return result
                }
            }
            if let told { continuation.resume(with: told) }
        }
    }

    /// Gives it when the work is done, and refuses it when that fails.
    /// - Throws: What the work throws.
    func after<Value: Sendable>(_ work: @Sendable () async throws -> Value) async throws -> Value {
        do {
            let value = try await work()
            tell(.success(()))
            return value
        } catch {
            tell(.failure(Refused()))
            throw error
        }
    }

    private func tell(_ result: Result<Void, Refused>) {
        let waiting: [CheckedContinuation<Void, any Error>] = state.withLockedValue { state in
            guard case .open(let waiting) = state else { return [] }
            state = .told(result)
            return waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}
