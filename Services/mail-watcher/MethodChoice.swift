import MailModel
import NIOConcurrencyHelpers

/// By which way this server's mailboxes are heard, and why: push where it proves itself, IDLE by default, polls where
/// nothing better is to be had. One IMAP server, so one choice for all its mailboxes.
///
/// Pushes that come are taken in any case; the choice says what is done beside them.
final class MethodChoice: Sendable {
    struct Choice: Sendable, Equatable {
        var method: WatchStatus.Method
        /// A stable word.
        var reason: String
    }

    /// How long push is not trusted after it failed to tell of a mail; each time twice as long.
    private static let firstDistrust = Duration.seconds(60)
    private static let longestDistrust = Duration.seconds(900)

    private struct State {
        var choice: Choice
        var distrust = firstDistrust
        var trustedFrom = ContinuousClock.now
        var canIdle = true
    }

    private let isForced: Bool
    private let state: NIOLockedValueBox<State>

    /// - Parameter forced: What an operator wants; nil leaves the choice to what is found.
    init(forced: WatchStatus.Method? = nil) {
        isForced = forced != nil
        let choice = forced.map { Choice(method: $0, reason: "forced") } ?? Choice(method: .idle, reason: "default")
        state = NIOLockedValueBox(State(choice: choice))
    }

    var current: Choice { state.withLockedValue { $0.choice } }

    /// The server pushed something.
    func pushHeard(now: ContinuousClock.Instant = .now) {
        guard !isForced else { return }
        state.withLockedValue { state in
            guard state.choice.method != .push, state.trustedFrom <= now else { return }
            state.choice = Choice(method: .push, reason: "push_heard")
        }
    }

    /// A look found a mail that no push had told of.
    func pushMissed(now: ContinuousClock.Instant = .now) {
        guard !isForced else { return }
        state.withLockedValue { state in
            guard state.choice.method == .push else { return }
            state.choice = Choice(method: state.canIdle ? .idle : .poll, reason: "push_missed")
            state.trustedFrom = now + state.distrust
            state.distrust = min(state.distrust * 2, Self.longestDistrust)
        }
    }

    /// The server has no IDLE (RFC 9051 §6.3.13).
    func idleIsMissing() {
        guard !isForced else { return }
        state.withLockedValue { state in
            state.canIdle = false
            if state.choice.method == .idle { state.choice = Choice(method: .poll, reason: "no_idle") }
        }
    }
}
