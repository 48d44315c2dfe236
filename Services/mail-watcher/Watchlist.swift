import Credentials
import EventBus
import IMAP
import Logging
import MailModel
import ServiceLifecycle

/// Which mailboxes are watched by this replica: those with a subscriber, and for a while longer; or all.
///
/// Replicas divide the mailboxes by leases in Redis, so that one mailbox is watched by one of them. While Redis is away
/// each watches for its own subscribers.
actor Watchlist: Service {
    /// A revoked mailbox, and the time before which its sessions began that are to end.
    typealias Revoked = (account: String, notBefore: Int64)

    private struct Entry {
        let watch: MailboxWatch
        let task: Task<Void, Never>
        /// When it is given up, unless somebody subscribes before; nil while it is wanted.
        var expires: ContinuousClock.Instant?
    }

    private let subscribers: Subscribers
    private let linger: Duration
    private let revoked: AsyncStream<Revoked>
    private let allAccounts: (@Sendable () async throws -> [String])?
    private let makeWatch: @Sendable (String) -> MailboxWatch
    private let leases: Leases
    private let logger: Logger
    private var entries: [String: Entry] = [:]
    private var isStopping = false

    /// - Parameters:
    ///   - linger: How much longer than its last subscriber a mailbox is watched.
    ///   - revoked: Mailboxes whose sessions are to end.
    ///   - allAccounts: Every active mailbox, to watch all of them; nil for those with a subscriber.
    init(
        subscribers: Subscribers, linger: Duration, leases: Leases, revoked: AsyncStream<Revoked>,
        allAccounts: (@Sendable () async throws -> [String])?, logger: Logger,
        makeWatch: @escaping @Sendable (String) -> MailboxWatch
    ) {
        self.subscribers = subscribers
        self.linger = linger
        self.leases = leases
        self.revoked = revoked
        self.allAccounts = allAccounts
        self.logger = logger
        self.makeWatch = makeWatch
    }

    /// Watches these mailboxes, and waits until each is watched or known not to be.
    /// - Parameter patience: How long to wait at most.
    func watch(_ accounts: [String], patience: Duration) async {
        let deadline = ContinuousClock.now + patience
        for account in accounts { want(account) }
        for account in accounts {
            while let watch = entries[account]?.watch, await watch.status.state == .connecting, .now < deadline {
                do { try await Task.sleep(for: .milliseconds(5)) } catch { return }
            }
        }
    }

    /// How the mailboxes are doing; nil asks for all.
    func statuses(of accounts: [String]?) async -> [WatchStatus] {
        var statuses: [WatchStatus] = []
        for account in accounts ?? entries.keys.sorted() {
            guard let entry = entries[account] else { continue }
            var status = await entry.watch.status
            status.subscribers = subscribers.count(of: account)
            statuses.append(status)
        }
        return statuses
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.endRevoked() }
            group.addTask { await self.keep() }
            await group.waitForAll()
        }
        isStopping = true
        let last = entries.values.map(\.task)
        for task in last { task.cancel() }
        for task in last { await task.value }
    }

    // MARK: Inside

    private func want(_ account: String) {
        guard !isStopping else { return }
        if entries[account] != nil {
            entries[account]?.expires = nil
            return
        }
        let watch = makeWatch(account)
        // Not a child of `run`, since each ends by itself when its time is over; `run` ends and awaits the rest.
        let task = Task { [leases] in await leases.whileHeld(account, watch: watch) }
        entries[account] = Entry(watch: watch, task: task)
    }

    private func endRevoked() async {
        await cancelWhenGracefulShutdown { [revoked] in
            for await session in revoked {
                await self.entries[session.account]?.watch.sessionRevoked(notBefore: session.notBefore)
            }
        }
    }

    private func keep() async {
        var active = Set<String>()
        var refresh = ContinuousClock.now
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            if let allAccounts, refresh <= .now {
                do {
                    active = Set(try await allAccounts())
                    refresh = .now + .seconds(30)
                } catch {
                    logger.notice("Mailboxes to watch not read", metadata: ["error": "\(error)"])
                }
            }
            sweep(wanted: active.union(subscribers.accounts))
            await Pause.until(.seconds(1))
        }
    }

    /// Begins what is wanted; gives up what has not been wanted for a while.
    private func sweep(wanted: Set<String>) {
        for account in wanted { want(account) }
        let now = ContinuousClock.now
        for (account, entry) in entries where !wanted.contains(account) {
            guard let expires = entry.expires else {
                entries[account]?.expires = now + linger
                continue
            }
            guard expires <= now else { continue }
            entry.task.cancel()
            entries[account] = nil
        }
    }
}
