import EventBus
import Logging
import MailModel
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Which mailboxes are watched by this replica: those with a subscriber or a webhook, and for a while longer; or all.
///
/// Replicas divide the mailboxes by leases in Redis, so that one mailbox is watched by one of them.
actor Watchlist: Service {
    /// A revoked mailbox, and the time before which its sessions began that are to end.
    typealias Revoked = (account: String, notBefore: Int64)
    /// Mailboxes wanted without a subscriber.
    typealias Wanted = @Sendable () async throws -> Set<String>

    private struct Entry {
        let watch: MailboxWatch
        /// nil while another replica watches it.
        var task: Task<Void, Never>?
        /// When it is given up, unless somebody subscribes before; nil while it is wanted.
        var expires: ContinuousClock.Instant?
    }

    /// A round that comes this late means that the process was frozen.
    private static let frozen = Duration.seconds(4)
    private static let readEvery = Duration.seconds(5)

    private let tools: WatchTools
    private let subscribers: Subscribers
    private let linger: Duration
    private let leases: Leases
    private let revoked: AsyncStream<Revoked>
    private let others: Wanted
    private let replicas: NIOLockedValueBox<Replicas>
    private let hearings = NIOLockedValueBox<[String: Hearing]>([:])
    /// Watches that end, which may take as long as their server does: nothing waits for them but the end of all.
    private let departures: AsyncStream<@Sendable () async -> Void>
    private let depart: AsyncStream<@Sendable () async -> Void>.Continuation
    private var entries: [String: Entry] = [:]
    /// The watches among them, by mailbox: another begins when they have ended.
    private var ending: [String: Task<Void, Never>] = [:]
    private var isStopping = false

    /// - Parameters:
    ///   - linger: How much longer than its last subscriber a mailbox is watched.
    ///   - revoked: Mailboxes whose sessions are to end.
    ///   - replicas: They divide the mailboxes that all of them want.
    ///   - others: Mailboxes to watch whether or not somebody listens; read every few seconds.
    init(
        tools: WatchTools, subscribers: Subscribers, linger: Duration, leases: Leases, revoked: AsyncStream<Revoked>,
        replicas: NIOLockedValueBox<Replicas>, others: @escaping Wanted
    ) {
        self.tools = tools
        self.subscribers = subscribers
        self.linger = linger
        self.leases = leases
        self.revoked = revoked
        self.replicas = replicas
        self.others = others
        (departures, depart) = AsyncStream.makeStream()
    }

    /// Hands a push to the watch of its mailbox.
    ///
    /// - Returns: False when this replica does not watch it.
    nonisolated func hear(_ push: PushNote) -> Bool {
        guard let hearing = hearings.withLockedValue({ $0[push.account] }) else { return false }
        hearing.add(push)
        return true
    }

    /// Pushes for other replicas' mailboxes may have been missed.
    nonisolated func pushesMissed() {
        for hearing in hearings.withLockedValue({ Array($0.values) }) { Self.lookSoon(hearing) }
    }

    /// Watches these mailboxes, and waits until each is watched or known not to be.
    /// - Parameter patience: How long to wait at most.
    func watch(_ accounts: [String], patience: Duration) async {
        let deadline = ContinuousClock.now + patience
        for account in accounts { want(account) }
        let idle = accounts.filter { entries[$0]?.task == nil }
        apply(await leases.hold(idle), among: idle)
        for account in accounts {
            while let entry = entries[account], entry.task != nil, await entry.watch.status.state == .connecting,
                .now < deadline
            {
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
            group.addTask {
                await self.keep()
                self.depart.finish()
            }
            group.addTask {
                await withDiscardingTaskGroup { leaving in
                    for await departure in self.departures { leaving.addTask { await departure() } }
                }
            }
            await group.waitForAll()
        }
        // What is being announced is still announced; then the others may have the mailboxes, without waiting for the
        // leases to end.
        isStopping = true
        let last = entries.filter { $0.value.task != nil }
        for entry in last.values { entry.task?.cancel() }
        for entry in last.values { await entry.task?.value }
        await leases.release(Array(last.keys))
    }

    // MARK: Inside

    private func want(_ account: String) {
        guard !isStopping else { return }
        if entries[account] != nil {
            entries[account]?.expires = nil
        } else {
            entries[account] = Entry(watch: MailboxWatch(account: account, tools: tools))
        }
    }

    /// Begins what is ours and ends what is not.
    private func apply(_ held: EventBus.HeldLeases, among accounts: [String]) {
        guard !isStopping else { return }
        for account in accounts {
            guard let entry = entries[account] else { continue }
            let isTaken = held.taken.contains(account)
            switch (isTaken || held.kept.contains(account), entry.task) {
            case (true, nil): begin(account, entry.watch)
            case (false, let task?): leave(account, entry, task)
            case (false, nil): depart.yield { await entry.watch.isWatchedElsewhere() }
            case (true, _?): if isTaken { depart.yield { await entry.watch.leaseWasTaken() } }
            }
        }
    }

    private func begin(_ account: String, _ watch: MailboxWatch) {
        hearings.withLockedValue { $0[account] = watch.hearing }
        // Not a child of `run`, since each ends when its time is over; `run` ends and awaits the rest. Detached, since it
        // would keep the task locals of the request that began it.
        entries[account]?.task = Task.detached { [last = ending[account]] in
            await last?.value
            await watch.run()
        }
    }

    private func end(_ account: String, _ task: Task<Void, Never>) {
        ending[account] = task
        task.cancel()
        depart.yield {
            await task.value
            await self.hasEnded(account, task)
        }
    }

    private func hasEnded(_ account: String, _ task: Task<Void, Never>) async {
        if ending[account] == task { ending[account] = nil }
        // It may be watched here again by now.
        if entries[account] == nil { await leases.release([account]) }
    }

    /// Another replica has it now.
    private func leave(_ account: String, _ entry: Entry, _ task: Task<Void, Never>) {
        hearings.withLockedValue { _ = $0.removeValue(forKey: account) }
        // Should it be watched here again, then by a new one: the old may take its time to end.
        let next = MailboxWatch(account: account, tools: tools)
        entries[account] = Entry(watch: next, expires: entry.expires)
        depart.yield { await next.isWatchedElsewhere() }
        end(account, task)
    }

    private func endRevoked() async {
        await cancelWhenGracefulShutdown { [revoked] in
            for await session in revoked {
                await self.entries[session.account]?.watch.sessionRevoked(notBefore: session.notBefore)
            }
        }
    }

    private func keep() async {
        var wanted = Set<String>()
        var readAt = ContinuousClock.now, choice = tools.choice.current, last = ContinuousClock.now
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let now = ContinuousClock.now
            if readAt <= now {
                do { wanted = try await others() } catch {
                    tools.logger.notice("Mailboxes to watch not read", metadata: ["error": "\(error)"])
                }
                readAt = now + Self.readEvery
            }
            await sweep(everywhere: wanted, here: Set(subscribers.accounts))
            for hearing in hearings.withLockedValue({ Array($0.values) }) { hearing.tick(now) }
            // Pushes went by unheard, or will not come any more: the mailboxes are looked at soon, not all at once.
            if now - last > Self.frozen || tools.choice.current != choice { pushesMissed() }
            (last, choice) = (now, tools.choice.current)
            tools.metrics.note(watched: entries.count, listeners: subscribers.count, queued: subscribers.queued)
            await Pause.until(.seconds(1))
        }
    }

    /// Begins what is wanted; gives up what has not been wanted for a while; keeps the leases.
    /// - Parameters:
    ///   - everywhere: Wanted by all replicas: those that fall to another are left to it.
    ///   - here: With a subscriber at this replica.
    private func sweep(everywhere: Set<String>, here: Set<String>) async {
        let living = replicas.withLockedValue { $0.living }, own = replicas.withLockedValue { $0.own }
        let share = living.count == 1 ? everywhere : everywhere.filter { Division.owner(of: $0, among: living) == own }
        let wanted = share.union(here)
        for account in wanted { want(account) }
        let now = ContinuousClock.now
        for (account, entry) in entries where !wanted.contains(account) {
            if everywhere.contains(account), entry.expires == nil {
                // Its subscriber left, or its owner has come.
                giveUp(account, entry)
            } else if let expires = entry.expires {
                if expires <= now { giveUp(account, entry) }
            } else {
                entries[account]?.expires = now + linger
            }
        }
        let accounts = Array(entries.keys)
        apply(await leases.hold(accounts), among: accounts)
    }

    private func giveUp(_ account: String, _ entry: Entry) {
        entries[account] = nil
        hearings.withLockedValue { _ = $0.removeValue(forKey: account) }
        leases.forget(account)
        if let task = entry.task { end(account, task) }
    }

    private static func lookSoon(_ hearing: Hearing) {
        hearing.lookIsDue(at: .now + .seconds(5) * Double.random(in: 0...1))
    }
}
