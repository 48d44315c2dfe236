import EventBus
import Logging
import MailModel
import NIOConcurrencyHelpers
import ServiceLifecycle
import Storage

/// Takes events over from the log of each mailbox to the database, where they wait to be told to its webhooks.
///
/// How far it has come stands in the database too, moved in the same transaction: so nothing is left out or doubled,
/// whichever replica does it and whoever was away meanwhile.
final class WebhookFeed: Service {
    private static let page = 500
    /// How often the log of every mailbox is looked at, beside those of which something was announced.
    private static let lookEvery = Duration.seconds(10)
    private static let pause = Duration.milliseconds(200)

    private struct State {
        /// The mailboxes with a webhook.
        var accounts: Set<String> = []
        /// Those of which something was announced here.
        var news: Set<String> = []
    }

    private let bus: EventBus
    private let webhooks: WebhookStore
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(bus: EventBus, webhooks: WebhookStore, logger: Logger) {
        self.bus = bus
        self.webhooks = webhooks
        self.logger = logger
    }

    /// The mailboxes with a webhook, as known now.
    var accounts: Set<String> { state.withLockedValue { $0.accounts } }

    /// Something was announced of this mailbox.
    func note(_ account: String) {
        state.withLockedValue { if $0.accounts.contains(account) { $0.news.insert(account) } }
    }

    /// Learns which mailboxes have a webhook; of a new one, what comes from now on is told. Never fails: what could not be
    /// read now is read soon.
    func begin() async {
        do {
            let accounts = Set(try await webhooks.watchedAccounts())
            for account in accounts.subtracting(self.accounts) where try await webhooks.cursor(of: account) == nil {
                try await webhooks.begin(account, after: try await bus.latestID(account: account))
            }
            state.withLockedValue { state in
                state.news.formUnion(accounts.subtracting(state.accounts))
                state.accounts = accounts
            }
        } catch { logger.notice("Webhooks not read", metadata: ["error": "\(error)"]) }
    }

    func run() async throws {
        var due = ContinuousClock.now
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if due <= .now {
                due = .now + Self.lookEvery
                await begin()
                state.withLockedValue { $0.news = $0.accounts }
            }
            for account in state.withLockedValue({ $0.news }) {
                // Noted before the log is read: what is announced meanwhile is noted anew.
                state.withLockedValue { _ = $0.news.remove(account) }
                do { try await takeOver(account) } catch {
                    // MariaDB or Redis is away; the log keeps it.
                    state.withLockedValue { _ = $0.news.insert(account) }
                    logger.debug("Events for webhooks not taken over", metadata: ["error": "\(error)"])
                    break
                }
            }
            await Pause.until(Self.pause)
        }
    }

    private func takeOver(_ account: String) async throws {
        while let cursor = try await webhooks.cursor(of: account) {
            let events: [MailEvent]
            switch try await bus.replay(account: account, since: cursor, limit: Self.page) {
            case .events(let found): events = found
            case .tooOld:
                let latest = try await bus.latestID(account: account)
                events = [MailEvent(id: latest, account: account, at: Timestamp.now(), kind: .resync)]
            }
            guard let last = events.last else { return }
            let letters = try events.map { event in
                WebhookStore.Letter(
                    eventID: event.id, type: event.type, at: event.at, body: try EventJSON.bytes(event))
            }
            try await webhooks.enqueue(letters, account: account, from: cursor, through: last.id)
            guard events.count == Self.page else { return }
        }
    }
}
