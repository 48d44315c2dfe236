import IMAP
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// What a watch was told since it was last asked, by whichever way: bounded, and many things said at once are one news.
final class Hearing: Sendable {
    struct News: Sendable {
        /// Of INBOX, the mailbox selected while IDLE is on.
        var flags: [Watch.FlagChange] = []
        var vanished: [UInt32] = []
        var pushes: [PushNote] = []
        /// The server tells nothing more of other folders until it is asked anew (RFC 5465 §5.8).
        var notifyEnded = false
        /// The whole mailbox is to be looked at.
        var look = false
        /// Why the connection that told has ended.
        var ended: (any Error)?
        /// When the first of it was heard.
        var since: ContinuousClock.Instant?
    }

    /// What is beyond it is found by the look that follows, less precisely.
    static let limit = 1000

    private struct State: Awaited {
        var news = News()
        var isWoken = false
        var waiter: UnsafeContinuation<Void, Never>?
        /// When the mailbox is looked at though nothing was heard.
        var lookDue: ContinuousClock.Instant?
        var alarms = Alarms()
    }

    /// When each kind rings next: not a dictionary, since there is one for each mailbox.
    private struct Alarms {
        private var look, wake: ContinuousClock.Instant?

        subscript(alarm: Alarm) -> ContinuousClock.Instant? {
            get {
                switch alarm {
                case .look: look
                case .wake: wake
                }
            }
            set {
                switch alarm {
                case .look: look = newValue
                case .wake: wake = newValue
                }
            }
        }
    }

    private let state = NIOLockedValueBox(State())

    /// Listening begins, whether or not a connection tells: how an earlier one ended is no news.
    func begin() { state.withLockedValue { $0.news.ended = nil } }

    /// What it tells, its end included.
    func add(_ told: Result<IMAPEvent, IMAPError>) {
        switch told {
        case .success(let event): add(event)
        case .failure(let error):
            wake { state in
                state.news.ended = error
                return true
            }
        }
    }

    private func add(_ event: IMAPEvent) {
        wake { state in
            switch event {
            case .fetched(let message):
                if state.news.flags.count < Self.limit, let change = Watch.FlagChange(message) {
                    state.news.flags.append(change)
                }
            case .vanished(let uids):
                state.news.vanished += uids.numbers(limit: Self.limit - state.news.vanished.count)
            // Neither says anything of mail: Dovecot's "Still here" would otherwise cost a look.
            case .status(let status) where status.code != .notificationOverflow: return false
            case .status: state.news.notifyEnded = true
            case .flags: return false
            default: break
            }
            state.news.look = true
            return true
        }
    }

    /// From a push.
    func add(_ push: PushNote) {
        wake { state in
            if state.news.pushes.count < Self.limit {
                state.news.pushes.append(push)
            } else {
                state.news.look = true
            }
            return true
        }
    }

    /// Time for a look although nothing was heard.
    func remind() {
        wake { state in
            state.news.look = true
            return true
        }
    }

    /// A look after a moment, for all that asks for one meanwhile.
    func remind(in delay: Duration) { alarm(.look, in: delay) }

    /// Something else is to be done after a moment.
    func wake(in delay: Duration) { alarm(.wake, in: delay) }

    /// From now on `tick` reminds when this time has come.
    func lookIsDue(at instant: ContinuousClock.Instant) { state.withLockedValue { $0.lookDue = instant } }

    /// Called every second.
    func tick(_ now: ContinuousClock.Instant) {
        let isDue = state.withLockedValue { state in
            guard let due = state.lookDue, due <= now else { return false }
            state.lookDue = nil
            return true
        }
        if isDue { remind() }
    }

    /// Waits until there is something to do; one reader.
    ///
    /// - Returns: nil when the task is cancelled.
    func next() async -> News? {
        await state.wait()
        guard !Task.isCancelled else { return nil }
        return state.withLockedValue { state in
            defer { state.news = News() }
            state.isWoken = false
            return state.news
        }
    }

    // MARK: Inside

    private func wake(_ note: (inout State) -> Bool) {
        state.wake { state in
            guard note(&state) else { return false }
            if state.news.since == nil { state.news.since = .now }
            return true
        }
    }

    private enum Alarm { case look, wake }

    /// A timer of the event loop, not a task: it holds nothing but this, and nobody has to await it. The earliest of a kind
    /// does for all.
    private func alarm(_ alarm: Alarm, in delay: Duration) {
        let due = ContinuousClock.now + delay
        let isEarliest = state.withLockedValue { state in
            if let pending = state.alarms[alarm], pending <= due { return false }
            state.alarms[alarm] = due
            return true
        }
        guard isEarliest else { return }
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: TimeAmount(delay)) { [weak self] in
            guard let self else { return }
            // One that an earlier has overtaken does not ring.
            let rings = state.withLockedValue { state in
                guard state.alarms[alarm] == due else { return false }
                state.alarms[alarm] = nil
                return true
            }
            guard rings else { return }
            switch alarm {
            case .look: remind()
            case .wake: wake { _ in true }
            }
        }
    }
}
