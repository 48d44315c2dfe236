import Credentials
import MailModel
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Everybody who listens on this replica, and the way of an event to them.
final class Subscribers: Sendable, Service {
    private struct State {
        var listeners: [ObjectIdentifier: Listener] = [:]
        var byAccount: [String: [ObjectIdentifier: Listener]] = [:]
        var isClosed = false
    }

    private let capacity: Int
    private let beatEvery: Duration
    private let state = NIOLockedValueBox(State())

    /// - Parameters:
    ///   - capacity: How many listeners there may be.
    ///   - beatEvery: How often each listener shows its client that the connection lives.
    init(capacity: Int, beatEvery: Duration = .seconds(15)) {
        self.capacity = capacity
        self.beatEvery = beatEvery
    }

    var count: Int { state.withLockedValue { $0.listeners.count } }

    func count(of account: String) -> Int { state.withLockedValue { $0.byAccount[account]?.count ?? 0 } }

    /// Events that wait for slow readers.
    var queued: Int { all.reduce(0) { $0 + $1.queued } }

    /// The accounts with a listener.
    var accounts: [String] { state.withLockedValue { Array($0.byAccount.keys) } }

    /// - Throws: `Failure` `tooManyRequests` when there are too many already, `unavailable` while stopping.
    func add(_ listener: Listener) throws {
        try state.withLockedValue { state in
            guard !state.isClosed else { throw Failure.unavailable("This replica") }
            guard state.listeners.count < capacity else {
                throw Failure(
                    .tooManyRequests, code: "too_many_streams", "Too many streams are open here; try again shortly.",
                    retryAfter: .seconds(5))
            }
            state.listeners[ObjectIdentifier(listener)] = listener
            for account in listener.subscriber.accounts {
                state.byAccount[account, default: [:]][ObjectIdentifier(listener)] = listener
            }
        }
    }

    func remove(_ listener: Listener) {
        state.withLockedValue { state in
            state.listeners[ObjectIdentifier(listener)] = nil
            for account in listener.subscriber.accounts {
                state.byAccount[account]?[ObjectIdentifier(listener)] = nil
                if state.byAccount[account]?.isEmpty == true { state.byAccount[account] = nil }
            }
        }
    }

    /// Hands an event to all who listen to its account. One that came before, with the same id, they pass over.
    func deliver(_ event: MailEvent) {
        for listener in listeners(of: event.account) { listener.offer(event) }
    }

    /// Ends what the revocations reach: a person's stream whose token is dead; of a service token, the account.
    func revoke(_ revocations: [Revocation]) {
        for listener in all {
            switch listener.subscriber.identity {
            case .person(let token):
                if revocations.contains(where: { $0.reaches(token) }) { listener.end(.revoked) }
            case .platform(let platform):
                if revocations.contains(where: { $0.kind == .jti && $0.value == platform.subject }) {
                    listener.end(.revoked)
                }
                // Revocations are told more than once: one from before the stream began is none of its own.
                for revocation in revocations where revocation.kind == .account && revocation.at > listener.opened {
                    listener.revoke(account: revocation.value.lowercased())
                }
            }
        }
    }

    /// Beats and ends tokens whose time is over; at a graceful shutdown, ends all listeners.
    func run() async throws {
        var sinceBeat = Duration.zero
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let now = Timestamp.now()
            sinceBeat += .seconds(1)
            let beats = sinceBeat >= beatEvery
            if beats { sinceBeat = .zero }
            for listener in all {
                if let expires = listener.subscriber.expires, expires <= now { listener.end(.expired) }
                if beats { listener.beat() }
            }
            await Pause.until(.seconds(1))
        }
        let last = state.withLockedValue { state in
            state.isClosed = true
            return Array(state.listeners.values)
        }
        for listener in last { listener.end(.shutdown) }
    }

    private var all: [Listener] { state.withLockedValue { Array($0.listeners.values) } }

    private func listeners(of account: String) -> [Listener] {
        state.withLockedValue { $0.byAccount[account].map { Array($0.values) } ?? [] }
    }
}

extension Revocation {
    /// Whether the token is dead by it.
    func reaches(_ token: AccessToken) -> Bool {
        switch kind {
        case .jti: token.jti == value
        case .family: token.sid == value
        case .user: token.sub == value && token.issuedAt < notBefore
        case .account:
            token.issuedAt < notBefore
                && (token.email.lowercased() == value.lowercased()
                    || token.accounts?.contains { $0.lowercased() == value.lowercased() } ?? false)
        }
    }
}
