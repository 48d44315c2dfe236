import MailModel
import NIOConcurrencyHelpers
import Redis

/// Hands what is heard of revocations to the feeds of this process.
final class RevocationSignals: Sendable {
    enum Signal: Sendable {
        case revoked(Revocation)
        /// Something may have been missed.
        case reread
    }

    private let listeners = NIOLockedValueBox<[ObjectIdentifier: GapQueue<Signal>]>([:])

    func listen() -> GapQueue<Signal> {
        let signals = GapQueue<Signal>(capacity: 1024, gap: .reread)
        listeners.withLockedValue { $0[ObjectIdentifier(signals)] = signals }
        return signals
    }

    func remove(_ signals: GapQueue<Signal>) {
        listeners.withLockedValue { $0[ObjectIdentifier(signals)] = nil }
        signals.finish()
    }

    func revoked(_ revocation: Revocation) { send(.revoked(revocation)) }

    func reread() { send(.reread) }

    private func send(_ signal: Signal) {
        for signals in listeners.withLockedValue({ Array($0.values) }) { signals.append(signal) }
    }
}
