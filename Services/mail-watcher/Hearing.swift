import IMAP
import NIOConcurrencyHelpers

/// What a connection told since it was last looked at: bounded, and many things said at once are one wake.
final class Hearing: Sendable {
    struct News: Sendable, Equatable {
        /// Of INBOX, the selected mailbox.
        var flags: [Watch.FlagChange] = []
        var vanished: [UInt32] = []
    }

    /// What is beyond it is found by the look that follows, less precisely.
    static let limit = 1000

    let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let news = NIOLockedValueBox(News())

    init() {
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func add(_ event: IMAPEvent) {
        news.withLockedValue { news in
            switch event {
            case .fetched(let message):
                guard news.flags.count < Self.limit, let change = Watch.FlagChange(message) else { return }
                news.flags.append(change)
            case .vanished(let uids):
                news.vanished += uids.numbers(limit: Self.limit - news.vanished.count)
            default: break
            }
        }
        switch event {
        // Neither says anything of mail: Dovecot's "Still here" would otherwise cost a look.
        case .status(let status) where status.code != .notificationOverflow: break
        case .flags: break
        default: wake.yield()
        }
    }

    /// Time for a look although nothing was heard.
    func remind() { wake.yield() }

    func take() -> News {
        news.withLockedValue { news in
            defer { news = News() }
            return news
        }
    }
}
